// SPDX-License-Identifier: LGPL-2.1-or-later
/* Runs rules, each in a process of its own, and looks at the board after each. */
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "compliance.h"
#include "report.h"

#define RULE_MS		120000	/* the slowest rule waits for a watchdog */
#define KILL_MS		2000	/* no call may hold a killed process longer */

/* Why @rule cannot be tried here; NULL: it can. */
static const char *missing(const struct rule *rule)
{
	uint32_t f;

	for (f = FAX_FUNC_SCAN; f <= FAX_FUNC_CODEC; f++)
		if ((rule->needs & (1u << f)) && !here.nodes[f].path[0])
			return "the board has no such function";
	if ((rule->needs & NEEDS_FAULTS) && !here.faults[0])
		return "needs fault knobs";
	if ((rule->needs & NEEDS_KNOBS) && !here.knobs[0])
		return "needs the simulator's paper";
	if ((rule->needs & NEEDS_PAPER) && !here.knobs[0] && !here.operator)
		return "paper must be handled: --operator";
	if ((rule->needs & NEEDS_ROOT) && geteuid())
		return "needs root";
	return NULL;
}

/* Every open of the rule is closed now: nothing of it may be left. */
static bool board_is_idle(char *why, size_t size)
{
	struct fax_status status;
	double end = now() + 3;
	uint32_t f = FAX_FUNC_SCAN;
	int fd;

	while (f <= FAX_FUNC_CODEC) {
		if (!here.nodes[f].path[0]) {
			f++;
			continue;
		}
		memset(&status, 0, sizeof(status));
		fd = open(here.nodes[f].path, open_flags(f) | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0 && !ioctl(fd, FAX_IOC_STATUS, &status) && !status.jobs &&
		    !status.claimed && status.state != FAX_STATE_BUSY) {
			close(fd);
			f++;
			continue;
		}
		if (fd >= 0)
			close(fd);
		if (now() > end) {
			snprintf(why, size, fd < 0 ? "afterwards %s cannot be opened" :
				 "afterwards %s is not idle: %u jobs, claimed %u, state %u",
				 here.nodes[f].path, status.jobs, status.claimed, status.state);
			return false;
		}
		usleep(5000);
	}
	return true;
}

/* A board that was unplugged by a rule may have come back by other names. */
static void follow_board(void)
{
	char serial[32];
	uint32_t f;

	for (f = FAX_FUNC_SCAN; f <= FAX_FUNC_CODEC; f++) {
		if (!here.nodes[f].path[0] || !access(here.nodes[f].path, F_OK))
			continue;
		memcpy(serial, here.nodes[f].info.serial, sizeof(serial));
		find_board(serial);
		return;
	}
}

static void rule_process(const struct rule *rule, unsigned int row)
{
	if (here.knobs[0])
		paper_reset();
	rule->test(row);
	verdict->outcome = PASSED;
	fflush(stdout);
	_exit(0);
}

static bool ends(int pidfd, int timeout_ms)
{
	struct pollfd pfd = { .fd = pidfd, .events = POLLIN };

	return poll(&pfd, 1, timeout_ms) == 1;
}

static void wait_for(pid_t pid)
{
	int pidfd = syscall(SYS_pidfd_open, pid, 0), status;

	if (!ends(pidfd, RULE_MS)) {
		snprintf(verdict->why, sizeof(verdict->why), "no end after %d s", RULE_MS / 1000);
		kill(pid, SIGKILL);
		if (!ends(pidfd, KILL_MS))
			snprintf(verdict->why, sizeof(verdict->why),
				 "no end, and a wait that cannot be killed");
		verdict->outcome = FAILED;
	}
	close(pidfd);
	if (waitpid(pid, &status, verdict->outcome == FAILED ? WNOHANG : 0) == pid &&
	    verdict->outcome == DIED)
		snprintf(verdict->why, sizeof(verdict->why), "died by signal %d",
			 WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

static void try_rule(const struct rule *rule, unsigned int row)
{
	const char *why = missing(rule);
	pid_t pid;

	memset(verdict, 0, sizeof(*verdict));
	if (why) {
		verdict->outcome = SKIPPED;
		snprintf(verdict->why, sizeof(verdict->why), "%s", why);
		return;
	}
	fflush(stdout);
	pid = fork();
	if (!pid)
		rule_process(rule, row);
	wait_for(pid);
	follow_board();
	if (verdict->outcome == PASSED && !board_is_idle(verdict->why, sizeof(verdict->why)))
		verdict->outcome = FAILED;
}

static void line(const struct rules *rules, const struct rule *rule, unsigned int row,
		 char *to, size_t size)
{
	const char *function = here.function ? function_name(here.function) : "";

	snprintf(to, size, "%s%s%s.%s%s%s%s: %s", function, here.function ? " " : "", rules->name,
		 rule->name, rule->row_name ? "[" : "", rule->row_name ? rule->row_name(row) : "",
		 rule->row_name ? "]" : "", rule->clause);
}

static void run_row(const struct rules *rules, const struct rule *rule, unsigned int row,
		    const char *only, struct count *count)
{
	unsigned int n = count->passed + count->failed + count->skipped + 1;
	char name[400];

	line(rules, rule, row, name, sizeof(name));
	if (only && !strstr(name, only))
		return;
	try_rule(rule, row);
	switch (verdict->outcome) {
	case PASSED:
		count->passed++;
		printf("ok %u - %s\n", n, name);
		break;
	case SKIPPED:
		count->skipped++;
		printf("ok %u - %s # SKIP %s\n", n, name, verdict->why);
		break;
	default:
		count->failed++;
		printf("# %s\nnot ok %u - %s\n", verdict->why, n, name);
	}
	fflush(stdout);
}

static void run_rule(const struct rules *rules, const struct rule *rule, const char *only,
		     struct count *count)
{
	unsigned int row = 0;

	do {
		run_row(rules, rule, row, only, count);
	} while (++row < rule->rows);
}

static void for_functions(const struct rules *rules, const struct rule *rule, const char *only,
			  struct count *count)
{
	uint32_t last = rule->needs & EACH_ENGINE ? FAX_FUNC_PRINT : FAX_FUNC_CODEC;
	uint32_t f;

	for (f = FAX_FUNC_SCAN; f <= last; f++) {
		if (!here.nodes[f].path[0])
			continue;
		here.function = f;
		run_rule(rules, rule, only, count);
	}
	here.function = 0;
}

void run_rules(const struct rules *rules, const char *only, struct count *count)
{
	size_t i;

	if (!verdict)
		verdict = mmap(NULL, sizeof(*verdict), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (i = 0; i < rules->count; i++) {
		if (rules->rules[i].needs & (EACH_FUNC | EACH_ENGINE))
			for_functions(rules, &rules->rules[i], only, count);
		else
			run_rule(rules, &rules->rules[i], only, count);
	}
}

void list_rules(const struct rules *rules)
{
	size_t i;

	for (i = 0; i < rules->count; i++)
		printf("%s.%s: %s\n", rules->name, rules->rules[i].name, rules->rules[i].clause);
}
