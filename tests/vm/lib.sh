# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Sourced by the scripts of tests/: where things are, and a few words.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck disable=SC2034 # for those who source this
vm=$top/tests/vm
build=$top/build/vm
# What is expensive and the same in every checkout: the guest image, checkpatch.
cache=${IFAX_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ifax}
mkdir -p "$build" "$cache"
PATH=$PATH:/usr/sbin:/sbin # modprobe, depmod

say() { echo "${0##*/}: $*" >&2; }
die() { say "$*"; exit 1; }

# The newest kernel that is here with headers to build for and an image to boot.
guest_kernel() {
	local v
	for v in $(find /lib/modules -mindepth 1 -maxdepth 1 -printf '%f\n' 2>/dev/null | sort -rV); do
		if [ -e "/lib/modules/$v/build" ] && [ -r "/boot/vmlinuz-$v" ]; then
			echo "$v"
			return
		fi
	done
	die "no kernel with headers and a readable /boot/vmlinuz: run tests/setup build guest"
}

# Another kernel than an installed one (tests/vm/kernel) is told by all four.
KVER=${KVER:-$(guest_kernel)}
KIMAGE=${KIMAGE:-/boot/vmlinuz-$KVER}
MODROOT=${MODROOT:-/}		# where lib/modules/$KVER is
MODDIR=${MODDIR:-$top}	# where our own lie, built for it, below kernel/
export KVER KIMAGE MODROOT MODDIR

# module_files NAME...   the stock modules and what they depend on, in loading order
module_files() {
	local m
	for m in "$@"; do
		modprobe -d "$MODROOT" -S "$KVER" --show-depends "$m" | sed -n 's/^insmod \([^ ]*\).*/\1/p'
	done | awk '!seen[$0]++'
}

# page_tool ARG...   runs tests/tools/ifax-page, compiling it where it is older than its source
page_tool() {
	local tool=$build/ifax-page source=$top/tests/tools/ifax-page.c
	if [ ! "$tool" -nt "$source" ]; then
		# shellcheck disable=SC2046 # lists of flags
		gcc -std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Wno-unused-parameter -o "$tool" "$source" \
			$(pkg-config --cflags --libs pangocairo libtiff-4) -lm || return
	fi
	"$tool" "$@"
}

# kernel_modules   the paths of the three modules, in loading order
kernel_modules() {
	printf '%s\n' "$MODDIR"/kernel/{fax,faxboard,faxsim}.ko
}

# clang_compiler   the newest clang here that knows all options which kernels are built with
clang_compiler() {
	local cc
	for cc in clang{-19,-18,-17,-16,-15,}; do
		command -v "$cc" >/dev/null || continue
		if echo 'int x;' | "$cc" -xc -c -mfunction-return=thunk-extern -o /dev/null - 2>/dev/null; then
			echo "$cc"
			return
		fi
	done
	return 1
}
