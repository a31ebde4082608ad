# SPDX-License-Identifier: GPL-2.0
# make install DESTDIR=...: the whole product. Modules go to the tree of $(KVER), or, with
# MODULES=dkms, as source for DKMS, or, with MODULES=no, not at all.

MODULES     ?= yes
INSTALL     := install
sysusersdir := $(prefix)/lib/sysusers.d
tmpfilesdir := $(prefix)/lib/tmpfiles.d
udevdir     := $(prefix)/lib/udev/rules.d
dbusdir     := $(prefix)/share/dbus-1
polkitdir   := $(prefix)/share/polkit-1/actions
mandir      := $(prefix)/share/man
bashdir     := $(prefix)/share/bash-completion/completions
dkmsdir     := $(prefix)/src/ifax-$(VERSION)
moddir      := /lib/modules/$(KVER)/updates/ifax

.PHONY: install-programs install-data install-modules install-dkms
install: install-programs install-data install-modules-$(MODULES)

install-programs: programs
	$(INSTALL) -D -m 755 $(B)/ifaxd $(DESTDIR)$(libexecdir)/ifaxd
	$(INSTALL) -D -m 755 $(B)/ifax-worker $(DESTDIR)$(libexecdir)/ifax-worker
	$(INSTALL) -D -m 755 $(B)/ifax-keyring $(DESTDIR)$(libexecdir)/ifax-keyring
	$(INSTALL) -D -m 755 $(B)/ifaxctl $(DESTDIR)$(bindir)/ifaxctl
	$(INSTALL) -D -m 755 $(B)/fax-compliance $(DESTDIR)$(bindir)/fax-compliance

install-data:
	$(INSTALL) -d $(DESTDIR)$(unitdir) $(DESTDIR)$(sysconfdir)/ifax/ifax.conf.d
	$(INSTALL) -m 644 daemon/systemd/*.service daemon/systemd/*.socket $(DESTDIR)$(unitdir)
	ln -sf ifaxd.service $(DESTDIR)$(unitdir)/dbus-org.ifax1.service
	$(INSTALL) -D -m 644 daemon/sysusers/ifax.conf $(DESTDIR)$(sysusersdir)/ifax.conf
	$(INSTALL) -D -m 644 daemon/tmpfiles/ifax.conf $(DESTDIR)$(tmpfilesdir)/ifax.conf
	$(INSTALL) -D -m 644 udev/60-ifax.rules $(DESTDIR)$(udevdir)/60-ifax.rules
	$(INSTALL) -D -m 644 daemon/dbus/org.ifax1.conf $(DESTDIR)$(dbusdir)/system.d/org.ifax1.conf
	$(INSTALL) -D -m 644 daemon/dbus/org.ifax1.service $(DESTDIR)$(dbusdir)/system-services/org.ifax1.service
	$(INSTALL) -D -m 644 daemon/dbus/org.ifax1.policy $(DESTDIR)$(polkitdir)/org.ifax1.policy
	$(INSTALL) -D -m 644 daemon/completion/ifaxctl.bash $(DESTDIR)$(bashdir)/ifaxctl
	$(INSTALL) -D -m 644 uapi/linux/fax.h $(DESTDIR)$(prefix)/include/linux/fax.h
	[ -e $(DESTDIR)$(sysconfdir)/ifax/ifax.conf ] || \
		$(INSTALL) -m 644 daemon/ifax.conf $(DESTDIR)$(sysconfdir)/ifax/ifax.conf
	for page in daemon/man/*.[1-8]; do \
		$(INSTALL) -D -m 644 $$page \
			$(DESTDIR)$(mandir)/man$${page##*.}/$${page##*/} || exit 1; \
	done

.PHONY: install-modules-yes install-modules-dkms install-modules-no
install-modules-no:
install-modules-yes: modules
	$(INSTALL) -d $(DESTDIR)$(moddir)
	$(INSTALL) -m 644 kernel/fax.ko kernel/faxboard.ko kernel/faxsim.ko $(DESTDIR)$(moddir)
	[ -n "$(DESTDIR)" ] || depmod $(KVER)

# The source as dkms(8) wants it: the kernel half, its header and a Kbuild, nothing that was built.
install-modules-dkms:
	$(INSTALL) -d $(DESTDIR)$(dkmsdir)
	find Kbuild kernel uapi COPYING LICENSES -type f ! -name '.*' ! -name '*.o' ! -name '*.ko' \
		! -name '*.mod' ! -name '*.mod.c' ! -name '*.o.d' ! -name modules.order ! -name '*.in' \
		-exec cp --parents -t $(DESTDIR)$(dkmsdir) {} +
	chmod -R u=rwX,go=rX $(DESTDIR)$(dkmsdir)
	sed 's/@VERSION@/$(VERSION)/' kernel/dkms.conf.in >$(DESTDIR)$(dkmsdir)/dkms.conf

# Leaves settings that were changed, and their folder with them.
.PHONY: uninstall
uninstall:
	rm -rf $(DESTDIR)$(libexecdir) $(DESTDIR)$(dkmsdir) $(DESTDIR)$(moddir)
	rm -f $(DESTDIR)$(bindir)/ifaxctl $(DESTDIR)$(bindir)/fax-compliance \
		$(patsubst daemon/systemd/%,$(DESTDIR)$(unitdir)/%,$(wildcard daemon/systemd/*)) \
		$(DESTDIR)$(unitdir)/dbus-org.ifax1.service $(DESTDIR)$(sysusersdir)/ifax.conf \
		$(DESTDIR)$(tmpfilesdir)/ifax.conf $(DESTDIR)$(udevdir)/60-ifax.rules \
		$(DESTDIR)$(dbusdir)/system.d/org.ifax1.conf \
		$(DESTDIR)$(dbusdir)/system-services/org.ifax1.service \
		$(DESTDIR)$(polkitdir)/org.ifax1.policy $(DESTDIR)$(bashdir)/ifaxctl \
		$(DESTDIR)$(prefix)/include/linux/fax.h
	for page in daemon/man/*.[1-8]; do \
		rm -f $(DESTDIR)$(mandir)/man$${page##*.}/$${page##*/}; \
	done
	if cmp -s daemon/ifax.conf $(DESTDIR)$(sysconfdir)/ifax/ifax.conf; then \
		rm $(DESTDIR)$(sysconfdir)/ifax/ifax.conf; \
	fi
	for dir in ifax/ifax.conf.d ifax; do \
		rmdir $(DESTDIR)$(sysconfdir)/$$dir 2>/dev/null || :; \
	done
	[ -n "$(DESTDIR)" ] || [ ! -d /lib/modules/$(KVER) ] || depmod $(KVER)
