# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
# Sourced by suites and by tests inside a guest: TAP in words. POSIX sh, busybox too.

tap_n=0
tap_bad=0

plan() { echo "1..$1"; }
ok() { tap_n=$((tap_n + 1)); echo "ok $tap_n - $1"; }
not_ok() { tap_n=$((tap_n + 1)); tap_bad=$((tap_bad + 1)); echo "not ok $tap_n - $1"; }
skip() { tap_n=$((tap_n + 1)); echo "ok $tap_n - $1 # SKIP $2"; }
skip_all() { echo "1..0 # SKIP $1"; exit 0; }
indent() { sed 's/^/# /'; }

# check NAME COMMAND...   one test: the command succeeds; its output is shown where it does not
check() {
	check_name=$1
	shift
	if check_out=$("$@" 2>&1); then
		ok "$check_name"
	else
		printf '%s\n' "$check_out" | tail -n 40 | indent
		not_ok "$check_name"
	fi
}

# done_testing   prints the plan at the end; the exit status of the script
done_testing() {
	plan "$tap_n"
	[ "$tap_bad" = 0 ]
}

# run_program NAME COMMAND...   relays the TAP of a program, and adds a failure if it died
run_program() {
	run_name=$1
	shift
	echo "# $run_name"
	CMOCKA_MESSAGE_OUTPUT=TAP ASAN_OPTIONS=exitcode=125 \
		timeout -k 5 "${PROGRAM_SECONDS:-300}" "$@"
	run_status=$?
	# Below 124 it can be the number of failed tests, which TAP has told. A signal, and what a
	# sanitizer finds at the end, it has not.
	if [ "$run_status" -ge 124 ]; then
		plan 1
		echo "not ok 1 - $run_name died with status $run_status"
	fi
}
