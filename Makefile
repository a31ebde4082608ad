# SPDX-License-Identifier: GPL-2.0
# make            modules and daemon
# make run        the main job in a guest, on a page (PAGE=file, several pages too)
# make check      the tests; make check SUITES="unit uapi" some of them
# make check-full those that take longer, too
# make bench-coder  times the coder beside libtiff and spandsp; make bench-path the linked path;
#                 make bench-smtp mail beside Postfix; make bench-pop3 a mailbox
# make install    everything under $(DESTDIR)
# make help       the rest

prefix      ?= /usr
sysconfdir  ?= /etc
bindir      := $(prefix)/bin
libexecdir  := $(prefix)/libexec/ifax
unitdir     := $(prefix)/lib/systemd/system
KVER        ?= $(shell ls -1 /lib/modules 2>/dev/null | sort -V | tail -n 1)
KDIR        ?= /lib/modules/$(KVER)/build
B           ?= build
V           ?= 0
Q           := $(if $(filter 1,$(V)),,@)

CC      ?= cc
CFLAGS  ?= -O2 -g
PKGS    := libsystemd libudev libtiff-4 gmime-3.0 libssl libcrypto libcares sqlite3 pangocairo libgsasl libxcrypt gpgme
# What only the worker takes in hand: text, pictures and documents of strangers.
WORKER_PKGS := pangoft2 fontconfig libpng libturbojpeg libwebp libwebpdemux poppler-glib
WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wno-unused-parameter
VERSION := $(shell cat daemon/VERSION 2>/dev/null || echo 0)
USERINC := -Idaemon -Iuapi -Ikernel/t4 -Ikernel/include
PKGC     = $(eval PKGC := $(shell pkg-config --cflags $(PKGS) $(WORKER_PKGS)))$(PKGC)
PKGL     = $(eval PKGL := $(shell pkg-config --libs $(PKGS)))$(PKGL)
WORKERL  = $(eval WORKERL := $(shell pkg-config --libs $(WORKER_PKGS)))$(WORKERL)
UCFLAGS  = -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DIFAX_VERSION='"$(VERSION)"' $(WARN) $(WERROR) \
	   $(CFLAGS) $(SANFLAGS) $(USERINC) $(PKGC)

# Variants build beside each other: make SAN=1 ... goes to build/san
ifdef SAN
B        := $(B)/san
SANFLAGS := -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
endif
ifdef CI
WERROR   := -Werror
endif

ROOMS    := base page mail sasl smtp pop3 net store device service bus worker keys
T4_DIR   := kernel/t4
include kernel/t4/simd/flags.mk
LIB_SRC  := $(filter-out daemon/%/main.c,$(foreach r,$(ROOMS),$(wildcard daemon/$(r)/*.c))) $(T4_SRC)
LIB_OBJ  := $(LIB_SRC:%.c=$(B)/%.o)
LIBS_ifaxctl = $(eval LIBS_ifaxctl := $(shell pkg-config --libs ncursesw))$(LIBS_ifaxctl)
LIBS_ifax-worker = $(WORKERL)
CTL_OBJ  := $(patsubst %.c,$(B)/%.o,$(wildcard daemon/ctl/*.c))
MODEL_OBJ := $(patsubst %.c,$(B)/%.o,$(wildcard kernel/model/*.c))
UNIT     := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/test_*.c))
UNIT_AUX := $(patsubst %.c,$(B)/%.o,$(filter-out tests/unit/test_%,$(wildcard tests/unit/*.c)))
COMPLY_OBJ := $(patsubst %.c,$(B)/%.o,$(wildcard tests/compliance/*.c) $(T4_SRC))
PROGRAMS := $(B)/ifaxd $(B)/ifaxctl $(B)/ifax-worker $(B)/ifax-keyring

.PHONY: all modules daemon unit fuzz clean run check check-full bench-coder help install format
all: modules daemon

modules: setup
	$(Q)+$(MAKE) -C $(KDIR) M=$(CURDIR) modules

daemon: setup
	$(Q)+$(MAKE) --no-print-directory programs

.PHONY: programs setup
programs: $(PROGRAMS) $(B)/fax-compliance

# Installs missing packages (Debian), saying which; does nothing where all are there.
setup:
	$(Q)tests/setup build

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(if $(Q),@echo "  CC      $@")
	$(Q)$(CC) $(UCFLAGS) $(if $(findstring $(T4_DIR)/simd/,$<),$(T4_FLAGS_$(*F))) -MMD -MP -c -o $@ $<

$(B)/libifax.a: $(LIB_OBJ)
	$(if $(Q),@echo "  AR      $@")
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(B)/ifaxd: $(B)/daemon/main.o $(B)/libifax.a
$(B)/ifaxctl: $(CTL_OBJ) $(B)/libifax.a
$(B)/ifax-worker: $(B)/daemon/worker/main.o $(B)/libifax.a
$(B)/ifax-keyring: $(B)/daemon/keys/main.o $(B)/libifax.a
$(PROGRAMS):
	$(if $(Q),@echo "  LD      $@")
	$(Q)$(CC) $(UCFLAGS) $(LDFLAGS) -o $@ $^ $(PKGL) $(LIBS_$(@F))

# Only libc and the coder: it runs where the product is not, linked with -static too.
$(B)/fax-compliance: $(COMPLY_OBJ)
	$(if $(Q),@echo "  LD      $@")
	$(Q)$(CC) $(UCFLAGS) $(LDFLAGS) -o $@ $^

unit: $(UNIT)
$(B)/unit/test_bus: | $(B)/ifaxctl
$(B)/unit/test_service_sealing: | $(B)/ifax-keyring
# Of ifaxctl, what a test of its own takes from it.
$(B)/libctl.a: $(filter-out %/main.o,$(CTL_OBJ))
	$(if $(Q),@echo "  AR      $@")
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(filter $(B)/unit/test_ctl_%,$(UNIT)): $(B)/libctl.a
$(B)/unit/%: $(B)/tests/unit/%.o $(UNIT_AUX) $(MODEL_OBJ) $(B)/libifax.a
	@mkdir -p $(@D)
	$(if $(Q),@echo "  LD      $@")
	$(Q)$(CC) $(UCFLAGS) $(LDFLAGS) -o $@ -Wl,--start-group $^ -Wl,--end-group $(PKGL) $(WORKERL) -lcmocka

# Times the coder beside others; BENCH="-r 25 -c mmr" and the like go to it (tests/bench/coder.c).
bench-coder:
	$(Q)tests/setup build bench
	$(Q)+$(MAKE) --no-print-directory $(B)/bench-coder
	$(Q)$(B)/bench-coder $(BENCH)

# What a page costs the host by the linked path, by read() and by libtiff (tests/bench/linked).
.PHONY: bench-path
bench-path:
	$(Q)tests/setup build guest bench
	$(Q)tests/bench/linked/run

# Receiving and sending mail beside Postfix and its smtp-sink; BENCH="send flat" some rows of it
# (tests/bench/smtp/run).
.PHONY: bench-smtp
bench-smtp:
	$(Q)tests/setup build bench-smtp
	$(Q)+$(MAKE) --no-print-directory programs $(B)/bench-load $(B)/bench-mail
	$(Q)tests/bench/smtp/run $(BENCH)

# Collecting a mailbox beside poplib, fetchmail and mpop (tests/bench/pop3/run).
.PHONY: bench-pop3
bench-pop3:
	$(Q)tests/setup build bench-pop3
	$(Q)+$(MAKE) --no-print-directory programs $(B)/bench-mail
	$(Q)tests/bench/pop3/run

BENCH_SMTP := $(patsubst %.c,$(B)/%.o,$(wildcard tests/bench/smtp/*.c))
$(BENCH_SMTP): USERINC += -Itests/unit
$(B)/bench-load: $(B)/tests/bench/smtp/load.o $(B)/libifax.a
$(B)/bench-mail: $(B)/tests/bench/smtp/mail.o $(B)/tests/unit/page_aux.o $(B)/tests/unit/t4_aux.o \
	$(B)/libifax.a
$(B)/bench-load $(B)/bench-mail:
	$(if $(Q),@echo "  LD      $@")
	$(Q)$(CC) $(UCFLAGS) $(LDFLAGS) -o $@ $^ $(PKGL)

BENCH_OBJ := $(patsubst %.c,$(B)/%.o,$(wildcard tests/bench/*.c)) $(B)/tests/unit/t4_aux.o
$(BENCH_OBJ): USERINC += -Itests/unit
$(B)/bench-coder: $(BENCH_OBJ) $(T4_SRC:%.c=$(B)/%.o)
	$(if $(Q),@echo "  LD      $@")
	$(Q)$(CC) $(UCFLAGS) $(LDFLAGS) -o $@ $^ -lspandsp -ltiff -lm

# What a test of the store runs in a guest: tests/tools/store-check.c says what it prints.
$(B)/store-check: $(B)/tests/tools/store-check.o $(B)/libifax.a
	$(if $(Q),@echo "  LD      $@")
	$(Q)$(CC) $(UCFLAGS) $(LDFLAGS) -o $@ $^ $(PKGL)

# Fuzz targets; with their own compiler's flags by make -C tests/fuzz
FUZZ     := $(patsubst tests/fuzz/%.c,$(B)/%,$(wildcard tests/fuzz/fuzz_*.c))
fuzz: $(FUZZ)
$(FUZZ:$(B)/%=$(B)/tests/fuzz/%.o): USERINC += -Itests/unit
$(B)/fuzz_%: $(B)/tests/fuzz/fuzz_%.o $(B)/tests/unit/t4_aux.o $(B)/libifax.a
	$(if $(Q),@echo "  LD      $@")
	$(Q)$(CC) $(UCFLAGS) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ $(PKGL) $(WORKERL)

run:
	$(Q)tests/setup build guest
	$(Q)tests/vm/run-main-job $(PAGE)

check:
	$(Q)tests/setup build guest check
	$(Q)tests/run $(or $(SUITES),default)

check-full:
	$(Q)tests/setup build guest check
	$(Q)tests/run $(or $(SUITES),full)

clean:
	rm -rf build out
	-$(MAKE) -C $(KDIR) M=$(CURDIR) clean

include $(wildcard daemon/install.mk)

help:
	$(Q)sed -n '2,/^$$/s/^# \{0,1\}//p' Makefile

.SECONDARY:
-include $(shell find $(B) -name '*.d' -type f 2>/dev/null)
