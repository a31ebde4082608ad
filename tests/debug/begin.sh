# SPDX-License-Identifier: LGPL-2.1-or-later
# Part of the script inside the guest (tests/suites/debug*), before the programs.
# What is there before the modules is not their leak.
rmmod faxsim faxboard fax
[ ! -e /sys/kernel/debug/kmemleak ] || echo clear >/sys/kernel/debug/kmemleak
for module in $modules; do insmod "/mods/$module.ko"; done
# not before: the boot has races of its own
[ ! -e /sys/kernel/debug/kcsan ] || echo on >/sys/kernel/debug/kcsan
