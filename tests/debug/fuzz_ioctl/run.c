// SPDX-License-Identifier: LGPL-2.1-or-later
/* Programs being run: the first calls one after the other, the rest in threads that race. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../uapi/uapi_test.h"
#include "fuzz.h"

#define PATIENCE_MS	15	/* before calls that wait are interrupted, again and again */
#define AGAIN_MS	2
#define HANG_S		60	/* a reset of a deaf board takes a third of a second */

enum part { PART_FIRST, PART_RACE, PART_CLEAN };

static struct thread {
	struct worker w;
	pthread_t thread;
	sem_t go, done;
} threads[THREADS];

static const struct program *program;
static enum part part;
static _Atomic bool cleaning;	/* is not to be interrupted */

static _Thread_local struct worker *self;

/* The n-th allocation from here on fails, in that thread; 0 = none. */
static void arm(struct worker *w, unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	w->armed = n;
	/* if this itself was next in turn, it is so only once */
	if (w->fail_nth >= 0 && pwrite(w->fail_nth, text, len, 0) != len)
		pwrite(w->fail_nth, text, len, 0);
}

void run_disarm(struct worker *w)
{
	if (w->armed)
		arm(w, 0);
}

/* Copies count as allocations here, and those of a signal's frame must not fail. */
void run_signal(unsigned int thread)
{
	run_disarm(&threads[thread].w);
	pthread_kill(threads[thread].thread, SIGUSR1);
}

/* Always: the flag may lag behind, and from a return that fails there is no way back. */
static void on_signal(int nr)
{
	int saved = errno;

	arm(self, 0);
	errno = saved;
}

/* Where it was armed just then, the kernel sends this in its place; else it is our own fault. */
static void on_fault(int nr, siginfo_t *info, void *context)
{
	if (info->si_code != SI_KERNEL)
		bail("signal %d, code %d, at %p", nr, info->si_code, info->si_addr);
	on_signal(nr);
}

static void make_call(struct worker *w, const struct call *c)
{
	int ret;

	if (c->fail && w->fail_nth >= 0)
		arm(w, c->fail);
	ret = calls[c->what].make(w, c);
	run_disarm(w);
	/* what the kernel says to itself is not for users */
	if (ret <= -512)
		bail("%s answers with error %d", calls[c->what].name, -ret);
	coverage_answer(w->id, 0x80000000 | c->what << 16 | (ret < 0 ? -ret : 0));
}

static void run_part(struct worker *w)
{
	const struct program *p = program;
	unsigned int i;

	for (i = 0; part == PART_FIRST && i < p->split && i < p->n; i++)
		make_call(w, &p->calls[i]);
	for (i = p->split; part == PART_RACE && i < p->n; i++)
		if (p->calls[i].thread == w->id)
			make_call(w, &p->calls[i]);
	/* nobody waits between the last call and this: no switch of threads for it */
	if (part == PART_CLEAN || (part == PART_FIRST && p->split >= p->n)) {
		cleaning = true;
		calls_clean();
		cleaning = false;
	}
}

static void *thread_main(void *arg)
{
	struct thread *t = arg;

	self = &t->w;
	t->w.fail_nth = open("/proc/thread-self/fail-nth", O_RDWR);
	coverage_thread(t->w.id);
	for (;;) {
		while (sem_wait(&t->go))
			;
		run_part(&t->w);
		sem_post(&t->done);
	}
	return NULL;
}

static void worker_init(struct worker *w, unsigned int id)
{
	size_t page = sysconf(_SC_PAGESIZE);
	uint8_t *mem = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED)
		bail("memory: %s", strerror(errno));
	mprotect(mem, page, PROT_READ);
	mprotect(mem + 2 * page, page, PROT_NONE);
	w->id = id;
	w->read_only = mem;
	w->page = mem + page;
}

void run_init(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct sigaction fault = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	unsigned int i;

	/* without SA_RESTART: who waits is told */
	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGSEGV, &fault, NULL);
	sigaction(SIGBUS, &fault, NULL);
	for (i = 0; i < THREADS; i++) {
		worker_init(&threads[i].w, i);
		sem_init(&threads[i].go, 0, 0);
		sem_init(&threads[i].done, 0, 0);
		if (pthread_create(&threads[i].thread, NULL, thread_main, &threads[i]))
			bail("pthread_create: %s", strerror(errno));
	}
}

static bool done_within(struct thread *t, unsigned int ms)
{
	struct timespec until;
	int ret;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += ms * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	do
		ret = sem_timedwait(&t->done, &until);
	while (ret && errno == EINTR);
	return !ret;
}

static bool finish(unsigned int n)
{
	unsigned int left = HANG_S * 1000 / AGAIN_MS, ms = PATIENCE_MS, i, j;

	for (i = 0; i < n; i++)
		for (; !done_within(&threads[i], ms); ms = AGAIN_MS) {
			if (!left--)
				return false;
			for (j = i; !cleaning && j < n; j++)
				run_signal(j);
		}
	return true;
}

static bool run(enum part which, unsigned int n)
{
	unsigned int i;

	part = which;
	for (i = 0; i < n; i++)
		sem_post(&threads[i].go);
	return finish(n);
}

bool run_program(const struct program *p)
{
	program = p;
	coverage_reset();
	if (!run(PART_FIRST, 1))
		return false;
	return p->split >= p->n || (run(PART_RACE, THREADS) && run(PART_CLEAN, 1));
}
