// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The append journal: writing. Reading it back is replay.c; both share
 * journal_internal.h, where the form on disk stands.
 */
#include "store/journal_internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#define ZERO_STEP    (512u * 1024)	/* written between two commits */
#define ZERO_FLUSH   (4u * 1024 * 1024)
#define RESERVE_MAX  (1024u * 1024)
#define SYNC_AT_ONCE 8

static const char next_name[] = "next.tmp";

void segment_name(char name[SEGMENT_NAME], uint64_t number)
{
	snprintf(name, SEGMENT_NAME, "%016llx.seg", (unsigned long long)number);
}

int segment_open(struct journal *j, const struct segment *s, int mode)
{
	char name[SEGMENT_NAME];
	int fd;

	segment_name(name, s->number);
	fd = openat(j->dir, name, mode | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

int write_range(int fd, const void *data, size_t len, uint64_t at)
{
	const uint8_t *p = data;

	while (len) {
		ssize_t n = pwrite(fd, p, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		p += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int zero_range(int fd, uint64_t at, uint64_t len)
{
	static const uint8_t zeros[64 * 1024];

	while (len) {
		size_t n = len < sizeof(zeros) ? (size_t)len : sizeof(zeros);
		int r = write_range(fd, zeros, n, at);

		if (r < 0)
			return r;
		at += n;
		len -= n;
	}
	return 0;
}

static int writev_all(int fd, struct iovec *iov, int n, uint64_t at)
{
	while (n) {
		ssize_t w = pwritev(fd, iov, n, (off_t)at);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return w ? -errno : -EIO;
		at += (uint64_t)w;
		for (; n && (size_t)w >= iov->iov_len; iov++, n--)
			w -= (ssize_t)iov->iov_len;
		if (n) {
			iov->iov_base = (uint8_t *)iov->iov_base + w;
			iov->iov_len -= (size_t)w;
		}
	}
	return 0;
}

/* The first step of a new segment: its blocks, not yet written. */
static int create_next(struct journal *j, uint64_t size)
{
	int fd = openat(j->dir, next_name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
			0600);
	int r;

	if (fd < 0)
		return -errno;
	r = posix_fallocate(fd, 0, (off_t)size);
	if (r) {
		close(fd);
		unlinkat(j->dir, next_name, 0);
		return -r;
	}
	return fd;
}

/*
 * One more stretch of zeros; 1 when the whole segment is written and durable. The
 * flush on the way keeps the kernel from gathering it all into one long wait.
 */
static int zero_step(int fd, uint64_t *done, uint64_t size, uint64_t step)
{
	uint64_t n = size - *done < step ? size - *done : step;
	int r = zero_range(fd, *done, n);

	if (r < 0)
		return r;
	*done += n;
	if ((*done == size || *done % ZERO_FLUSH == 0) && fdatasync(fd) < 0)
		return -errno;
	return *done == size;
}

/* On the commit thread, without the lock; the fields in prep are its own while it is busy. */
static void prepare_step(struct journal *j)
{
	struct prep *p = &j->prep;
	int r;

	if (p->fd < 0) {
		p->done = 0;
		p->fd = create_next(j, j->segment_bytes);
	}
	r = p->fd < 0 ? p->fd : zero_step(p->fd, &p->done, j->segment_bytes, ZERO_STEP);
	if (!r)
		return;
	if (r < 0 && p->fd >= 0) {
		close(p->fd);
		unlinkat(j->dir, next_name, 0);
	}
	pthread_mutex_lock(&j->lock);
	j->next_fd = r < 0 ? -1 : p->fd;
	j->prep_state = r < 0 ? PREP_FAILED : PREP_READY;
	p->fd = -1;
	pthread_cond_broadcast(&j->changed);
	pthread_mutex_unlock(&j->lock);
}

/*
 * The commit point.
 *
 * Before: every record up to j->durable is on disk in its segment. Those behind
 * it are written but may be missing, whole or torn, after a crash; nobody has
 * been told of them.
 * After: every record up to @target is on disk, and so are the names of the
 * segments that hold them, for the folder is synced before anyone is told. A
 * record that came in while fdatasync() ran is left to the next round and starts
 * on a block of its own, because j->batch_open was cleared first.
 * If it fails: the kernel may have dropped the pages, so a later success would
 * prove nothing. The journal takes no more, and what became of the records
 * behind j->durable shows at the next start, which writes them again.
 */
static void commit_round(struct journal *j)
{
	int fds[SYNC_AT_ONCE], n = 0, r = 0;
	uint64_t target = j->appended;
	bool dir = j->dir_dirty;

	for (struct segment *s = j->first; s && n < SYNC_AT_ONCE; s = s->next)
		if (s->dirty) {
			s->dirty = false;
			s->syncing = true;
			fds[n++] = s->fd;
			target = s->next ? s->next->first_seq - 1 : j->appended;
		}
	j->dir_dirty = false;
	j->batch_open = false;
	pthread_mutex_unlock(&j->lock);

	for (int i = 0; i < n && !r; i++)
		if (j->sync(fds[i]) < 0)
			r = -errno;
	if (!r && dir && fsync(j->dir) < 0)
		r = -errno;

	pthread_mutex_lock(&j->lock);
	for (struct segment *s = j->first; s; s = s->next)
		s->syncing = false;
	if (r)
		j->failed = r;
	else
		j->durable = target;
	pthread_cond_broadcast(&j->changed);
}

/*
 * With the lock held: until there is work. What is lazy becomes what is asked for
 * when its time is over.
 */
static void rest(struct journal *j)
{
	struct timespec end;

	if (j->failed || j->durable == j->appended) {
		pthread_cond_wait(&j->wake, &j->lock);
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_nsec += JOURNAL_LAZY_MSEC * 1000000l;
	end.tv_sec += end.tv_nsec / 1000000000l;
	end.tv_nsec %= 1000000000l;
	j->resting = true;
	while (j->asked <= j->durable && !j->stop && j->prep_state != PREP_WANTED)
		if (pthread_cond_timedwait(&j->wake, &j->lock, &end) == ETIMEDOUT)
			j->asked = j->appended;
	j->resting = false;
}

static void *commit_thread(void *userdata)
{
	struct journal *j = userdata;

	pthread_mutex_lock(&j->lock);
	for (;;) {
		bool sync = !j->failed && j->durable < j->appended &&
			    (j->asked > j->durable || j->stop);
		bool prep = !j->failed && !j->stop && j->prep_state == PREP_WANTED;

		if (sync) {
			commit_round(j);
			pthread_mutex_unlock(&j->lock);
			eventfd_write(j->event, 1);
			pthread_mutex_lock(&j->lock);
		}
		if (prep) {
			pthread_mutex_unlock(&j->lock);
			prepare_step(j);
			pthread_mutex_lock(&j->lock);
		}
		if (sync || prep)
			continue;
		if (j->stop)
			break;
		rest(j);
	}
	pthread_mutex_unlock(&j->lock);
	return NULL;
}

/*
 * A zeroed segment of @size: the prepared one where it fits, else made here and
 * now. Not once the journal failed, for the thread may be at next.tmp still.
 */
static int obtain_segment(struct journal *j, uint64_t size)
{
	uint64_t done = 0;
	int fd, r;

	pthread_mutex_lock(&j->lock);
	while (j->running && j->prep_state == PREP_WANTED && !j->failed)
		pthread_cond_wait(&j->changed, &j->lock);
	if (j->failed) {
		pthread_mutex_unlock(&j->lock);
		return j->failed;
	}
	fd = j->next_fd;
	j->next_fd = -1;
	j->prep_state = PREP_IDLE;
	pthread_mutex_unlock(&j->lock);
	if (fd >= 0 && size == j->segment_bytes)
		return fd;
	if (fd >= 0)
		close(fd);
	fd = create_next(j, size);
	if (fd < 0)
		return fd;
	do
		r = zero_step(fd, &done, size, ZERO_FLUSH);
	while (!r);
	if (r < 0) {
		close(fd);
		unlinkat(j->dir, next_name, 0);
		return r;
	}
	return fd;
}

/* The head stands twice, a block each, so that one bad block does not cost a segment. */
static int write_heads(int fd, const struct segment *s, uint64_t mark)
{
	uint8_t block[BLOCK] = { 0 };
	struct segment_head h = {
		.magic = SEGMENT_MAGIC, .version = 1, .number = s->number, .nonce = s->nonce,
		.first_seq = s->first_seq, .size = s->size, .mark = mark,
	};
	int r;

	h.crc = crc32c(0, &h, offsetof(struct segment_head, crc));
	memcpy(block, &h, sizeof(h));
	r = write_range(fd, block, sizeof(block), 0);
	return r < 0 ? r : write_range(fd, block, sizeof(block), BLOCK);
}

/*
 * Goes on in a new segment. Before: the folder holds next.tmp, all zeros and
 * durable. Then: it has its heads, durable, too. After: it is the last segment under
 * its own name, which reaches the disk with the first record's commit at the latest.
 * So a crash leaves no such name at all, or a segment with both heads: one that has
 * none is damaged. Where it has no record, nobody has been told of anything in it.
 */
int segment_begin(struct journal *j, uint64_t need)
{
	uint64_t size = need > j->segment_bytes ? need : j->segment_bytes;
	char name[SEGMENT_NAME];
	_close_ int fd = -1;
	struct segment *s;
	int r;

	size = (size + BLOCK - 1) / BLOCK * BLOCK;
	fd = obtain_segment(j, size);
	if (fd < 0)
		return fd;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->number = j->last ? j->last->number + 1 : j->next_number;
	s->size = size;
	s->first_seq = j->appended + 1;
	s->end = HEAD_BYTES;
	if (getrandom(&s->nonce, sizeof(s->nonce), 0) != sizeof(s->nonce))
		r = -EIO;
	else
		r = write_heads(fd, s, j->mark);
	if (!r && j->sync(fd) < 0)
		r = -errno;
	segment_name(name, s->number);
	if (!r && renameat(j->dir, next_name, j->dir, name) < 0)
		r = -errno;
	if (r < 0) {
		unlinkat(j->dir, next_name, 0);
		free(s);
		return r;
	}
	s->fd = take_fd(fd);

	pthread_mutex_lock(&j->lock);
	segment_link(j, s);
	j->dir_dirty = true;
	if (j->prep_state != PREP_READY)
		j->prep_state = PREP_WANTED;
	pthread_cond_signal(&j->wake);
	pthread_mutex_unlock(&j->lock);
	return 0;
}

void segment_link(struct journal *j, struct segment *s)
{
	if (j->last)
		j->last->next = s;
	else
		j->first = s;
	j->last = s;
}

static bool room_for(struct journal *j, uint64_t need, bool bulk)
{
	struct segment *s = j->last;
	uint64_t reserve = 0;

	if (!s)
		return false;
	if (bulk && j->prep_state != PREP_READY)
		reserve = s->size / 8 < RESERVE_MAX ? s->size / 8 : RESERVE_MAX;
	return s->end + need + BLOCK + reserve <= s->size;
}

static uint64_t round_up(uint64_t v, uint64_t to)
{
	return (v + to - 1) / to * to;
}

/* With the lock held: at the end of the last segment, a fresh block for a fresh batch. */
static int append_locked(struct journal *j, struct record_head *h, struct iovec *v, int n,
			 uint64_t total, struct journal_pos *pos)
{
	struct segment *s = j->last;
	uint64_t at = j->batch_open ? round_up(s->end, ALIGN) : round_up(s->end, BLOCK);
	int r;

	h->seq = j->appended + 1;
	h->durable = j->durable;
	h->nonce = s->nonce;
	h->crc = crc32c(0, h, offsetof(struct record_head, crc));
	j->batch_open = true;
	s->dirty = true;
	r = writev_all(s->fd, v, n, at);
	if (r < 0) {
		/* The caller hears that it failed: it should not turn up at the next start. */
		zero_range(s->fd, at, sizeof(*h));
		j->failed = r;
		return r;
	}
	*pos = (struct journal_pos){ .segment = s->number, .offset = at, .seq = h->seq };
	j->last_pos = *pos;
	s->end = at + total;
	j->appended = h->seq;
	return 0;
}

/* With the lock held: does the thread have to be woken for the record just appended? */
static bool ask_for(struct journal *j, unsigned int flags)
{
	if (!(flags & JOURNAL_LAZY)) {
		j->asked = j->appended;
		return true;
	}
	return !j->resting;
}

static int failed_sentence(int r, struct error *e)
{
	return error_set(e, r,
			 "Writing the spool failed (%s); nothing more is accepted. Check the disk, "
			 "then restart ifaxd.", strerror(-r));
}

int journal_append(struct journal *j, uint16_t type, const struct iovec *iov, int n_iov,
		   unsigned int flags, struct journal_pos *pos, struct error *e)
{
	struct record_head h = { .magic = RECORD_MAGIC, .type = type };
	struct iovec v[JOURNAL_IOV + 1];
	uint64_t len = 0;
	bool wake;
	int r = 0;

	if (n_iov > JOURNAL_IOV)
		return error_set(e, -EINVAL, "A spool record of too many parts.");
	v[0] = (struct iovec){ .iov_base = &h, .iov_len = sizeof(h) };
	for (int i = 0; i < n_iov; i++) {
		v[i + 1] = iov[i];
		len += iov[i].iov_len;
		if (len > JOURNAL_PAYLOAD_MAX)
			return error_set(e, -EMSGSIZE, "The document is too large for the spool.");
		h.payload_crc = crc32c(h.payload_crc, iov[i].iov_base, iov[i].iov_len);
	}
	h.len = (uint32_t)len;
	len += sizeof(h);

	pthread_mutex_lock(&j->lock);
	r = j->failed;
	if (!r && !room_for(j, len, flags & JOURNAL_BULK)) {
		pthread_mutex_unlock(&j->lock);
		r = segment_begin(j, HEAD_BYTES + len + BLOCK);
		if (r < 0)
			return error_set(e, r, "The spool cannot grow: %s. %s", strerror(-r),
					 r == -EIO ? "Check the disk." : "Free some space in it.");
		pthread_mutex_lock(&j->lock);
		r = j->failed;
	}
	if (!r)
		r = append_locked(j, &h, v, n_iov + 1, len, pos);
	wake = !r && ask_for(j, flags);
	pthread_mutex_unlock(&j->lock);
	/* Not before: it would only wake to wait for the lock. */
	if (wake)
		pthread_cond_signal(&j->wake);
	return r < 0 ? failed_sentence(r, e) : 0;
}

int journal_hurry(struct journal *j, uint64_t seq)
{
	bool durable;

	pthread_mutex_lock(&j->lock);
	durable = j->durable >= seq;
	if (j->asked < seq)
		j->asked = seq;
	pthread_mutex_unlock(&j->lock);
	if (!durable)
		pthread_cond_signal(&j->wake);
	return durable;
}

int journal_sync(struct journal *j, struct error *e)
{
	int r;

	pthread_mutex_lock(&j->lock);
	j->asked = j->appended;
	pthread_cond_signal(&j->wake);
	while (!j->failed && j->durable < j->appended)
		pthread_cond_wait(&j->changed, &j->lock);
	r = j->failed;
	pthread_mutex_unlock(&j->lock);
	return r < 0 ? failed_sentence(r, e) : 0;
}

int journal_start(struct journal *j, struct error *e)
{
	sigset_t all, old;
	int r;

	if (!j->last) {
		r = segment_begin(j, 0);
		if (r < 0)
			return error_set(e, r, "The spool cannot be begun: %s.", strerror(-r));
	} else {
		j->prep_state = PREP_WANTED;
	}
	/* Signals are the event loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = -pthread_create(&j->thread, NULL, commit_thread, j);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r < 0)
		return error_set(e, r, "The spool's commit thread cannot start: %s.",
				 strerror(-r));
	j->running = true;
	return 0;
}

static int open_dir(struct journal *j, const char *dir, struct error *e)
{
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return error_set(e, -errno, "%s cannot be created: %s.", dir, strerror(errno));
	j->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (j->dir < 0)
		return error_set(e, -errno, "%s cannot be opened: %s.", dir, strerror(errno));
	if (flock(j->dir, LOCK_EX | LOCK_NB) < 0) {
		cleanup_close(&j->dir);
		return error_set(e, errno == EWOULDBLOCK ? -EBUSY : -errno,
				 "%s is in use by another ifaxd.", dir);
	}
	unlinkat(j->dir, next_name, 0);
	return 0;
}

int journal_open(struct journal **ret, const char *dir, uint64_t segment_bytes, struct error *e)
{
	struct journal *j = calloc(1, sizeof(*j));
	pthread_condattr_t monotonic;
	int r;

	if (!j)
		return error_set(e, -ENOMEM, "Out of memory.");
	if (segment_bytes < JOURNAL_SEGMENT_MIN)
		segment_bytes = JOURNAL_SEGMENT_MIN;
	j->segment_bytes = round_up(segment_bytes, BLOCK);
	j->dir = j->next_fd = j->prep.fd = -1;
	j->next_number = 1;
	j->sync = fdatasync;
	pthread_mutex_init(&j->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&j->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_cond_init(&j->changed, NULL);
	j->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = j->event < 0 ? error_set(e, -errno, "No event descriptor: %s.", strerror(errno)) : 0;
	if (!r)
		r = open_dir(j, dir, e);
	if (!r)
		r = segments_scan(j, e);
	if (r < 0) {
		journal_close(j);
		return r;
	}
	*ret = j;
	return 0;
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	if (j->running) {
		pthread_mutex_lock(&j->lock);
		j->stop = true;
		pthread_cond_signal(&j->wake);
		pthread_mutex_unlock(&j->lock);
		pthread_join(j->thread, NULL);
	}
	if (j->dir >= 0)
		unlinkat(j->dir, next_name, 0);
	for (struct segment *s = j->first, *next; s; s = next) {
		next = s->next;
		cleanup_close(&s->fd);
		free(s);
	}
	cleanup_close(&j->prep.fd);
	cleanup_close(&j->next_fd);
	cleanup_close(&j->event);
	cleanup_close(&j->dir);
	pthread_cond_destroy(&j->changed);
	pthread_cond_destroy(&j->wake);
	pthread_mutex_destroy(&j->lock);
	free(j);
}

int journal_fd(const struct journal *j)
{
	return j->event;
}

/* Also closes what is neither appended to nor being made durable. */
void journal_acknowledge(struct journal *j)
{
	eventfd_t n;

	eventfd_read(j->event, &n);
	pthread_mutex_lock(&j->lock);
	for (struct segment *s = j->first; s && s->next; s = s->next)
		if (!s->dirty && !s->syncing)
			cleanup_close(&s->fd);
	pthread_mutex_unlock(&j->lock);
}

uint64_t journal_durable(struct journal *j)
{
	uint64_t seq;

	pthread_mutex_lock(&j->lock);
	seq = j->durable;
	pthread_mutex_unlock(&j->lock);
	return seq;
}

int journal_failed(struct journal *j, struct error *e)
{
	int r;

	pthread_mutex_lock(&j->lock);
	r = j->failed;
	pthread_mutex_unlock(&j->lock);
	return r < 0 ? failed_sentence(r, e) : 0;
}

void journal_last_pos(const struct journal *j, struct journal_pos *ret)
{
	*ret = j->last_pos;
}

uint64_t journal_first(const struct journal *j)
{
	return j->first ? j->first->number : 0;
}

uint64_t journal_last(const struct journal *j)
{
	return j->last ? j->last->number : 0;
}

uint64_t journal_bytes(const struct journal *j)
{
	uint64_t n = 0;

	for (const struct segment *s = j->first; s && s->next; s = s->next)
		n += s->size;
	return n;
}

struct segment *segment_find(const struct journal *j, uint64_t number)
{
	for (struct segment *s = j->first; s; s = s->next)
		if (s->number == number)
			return s;
	return NULL;
}

uint64_t journal_nonce(const struct journal *j, uint64_t number)
{
	const struct segment *s = segment_find(j, number);

	return s ? s->nonce : 0;
}

void journal_set_mark(struct journal *j, uint64_t mark)
{
	if (mark > j->mark)
		j->mark = mark;
}

uint64_t journal_mark(const struct journal *j)
{
	return j->mark;
}

/*
 * Before: all in the segment that still counts stands again in a later one, and
 * that is durable. After: the name is gone, and is on disk with the next commit;
 * should it come back, replaying it first and the later records after it gives
 * the same. That needs the records after it: so the next segment goes only when
 * this one's removal is on disk, or what it removed could come back alone.
 */
int journal_remove_first(struct journal *j, struct error *e)
{
	struct segment *s;
	char name[SEGMENT_NAME];
	int r;

	pthread_mutex_lock(&j->lock);
	s = j->first;
	if (!s || !s->next || s->dirty || s->syncing ||
	    (j->removed_at && j->durable <= j->removed_at)) {
		pthread_mutex_unlock(&j->lock);
		return error_set(e, -EBUSY, "The spool segment is in use.");
	}
	j->first = s->next;
	pthread_mutex_unlock(&j->lock);
	cleanup_close(&s->fd);
	segment_name(name, s->number);
	free(s);
	r = unlinkat(j->dir, name, 0) < 0 ? -errno : 0;
	pthread_mutex_lock(&j->lock);
	j->removed_at = j->appended;
	j->dir_dirty = true;
	pthread_mutex_unlock(&j->lock);
	if (r < 0)
		return error_set(e, r, "Spool segment %s cannot be removed: %s.", name,
				 strerror(-r));
	return 0;
}
