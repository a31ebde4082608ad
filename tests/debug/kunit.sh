# SPDX-License-Identifier: LGPL-2.1-or-later
# Part of the script inside the guest (tests/suites/debug).
echo "# the coder, by KUnit"
check "its tests run" insmod /kunit.module
check "and say what came of it" grep '^ok 1 t4' /sys/kernel/debug/kunit/t4/results
sed -n 's/^    \(1\.\.\|ok\|not ok\)/\1/p' /sys/kernel/debug/kunit/t4/results
rmmod t4_test
