# SPDX-License-Identifier: LGPL-2.1-or-later
# Part of the script inside the guest (tests/suites/debug), after the programs.
echo "# the coder, by KUnit"
check "its tests run" insmod /kunit.module
check "and say what came of it" grep '^ok 1 t4' /sys/kernel/debug/kunit/t4/results
sed -n 's/^    \(1\.\.\|ok\|not ok\)/\1/p' /sys/kernel/debug/kunit/t4/results
rmmod t4_test

echo "# after all"
check "the modules leave" rmmod faxsim faxboard fax
# kmemleak says nothing of what is younger than five seconds
lost() {
	sleep 6
	echo scan >/sys/kernel/debug/kmemleak
	sleep 1
	echo scan >/sys/kernel/debug/kmemleak
	! grep . /sys/kernel/debug/kmemleak
}
check "no memory is lost" lost
check "the proving of locks went on to the end" grep -q 'debug_locks: *1' /proc/lockdep_stats
done_testing
