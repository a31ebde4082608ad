# SPDX-License-Identifier: LGPL-2.1-or-later
# Part of the script inside the guest (tests/suites/debug*), after the programs.
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
# which of the two there is depends on the kernel
[ ! -e /sys/kernel/debug/kmemleak ] || check "no memory is lost" lost
[ ! -e /proc/lockdep_stats ] ||
	check "the proving of locks went on to the end" grep -q 'debug_locks: *1' /proc/lockdep_stats
done_testing
