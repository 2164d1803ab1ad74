/* ISC licence, see LICENSE. */
#include "counts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/number.h"
#include "base/username.h"
#include "base/usertable.h"

enum {
	FILE_MAX = 1024, /* octets; more than COUNTS_MAX lines can have */
	NAME_LEN_MAX = 255,
	THOUSAND = 1000,
	LOCK_LOOK_MS = 5,
};

int
rates_add(struct rates *r, const char *s, size_t len)
{
	char text[24], *slash;
	long long n, seconds;
	size_t i;

	if (len >= sizeof text || r->n == RATES_MAX)
		return -1;
	memcpy(text, s, len);
	text[len] = '\0';
	slash = strchr(text, '/');
	if (!slash || strlen(text) != len)
		return -1;
	*slash = '\0';
	if (number_parse(text, 0, RATE_N_MAX, &n) < 0 || number_parse(slash + 1, 1, RATE_SECONDS_MAX, &seconds) < 0)
		return -1;
	for (i = 0; i < r->n; i++)
		if (r->rate[i].seconds == seconds)
			return -1;
	r->rate[r->n++] = (struct rate){ n, seconds };
	return 0;
}

const char *
rates_read(struct rates *r, const char *list, size_t n, size_t *len)
{
	const char *item, *p = list;

	*r = (struct rates){ .n = 0 };
	while ((item = usertable_item(&p, list + n, len)))
		if (rates_add(r, item, *len) < 0)
			return item;
	return NULL;
}

const char *
rates_bad(const char *list, size_t n, size_t *len)
{
	struct rates rates;

	return rates_read(&rates, list, n, len);
}

const struct rate *
rates_too_small(const struct rates *r, int64_t k)
{
	size_t i;

	for (i = 0; i < r->n && k <= r->rate[i].n; i++)
		;
	return i < r->n ? &r->rate[i] : NULL;
}

/* A hash of the whole name, FNV-1a: it tells names apart that are equal up to where they are cut. */
static uint64_t
hash(const char *s)
{
	uint64_t h = 14695981039346656037u;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 1099511628211u;
	return h;
}

int
counts_name(struct buf *b, const char *who, bool is_peer)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789@+-_.";
	const char *s;
	int r = is_peer ? buf_add(b, "=", 1) : 0;

	for (s = who; *s && r == 0; s++) {
		char c;

		username_fold(&c, s, 1);
		if (strchr(plain, c) && (c != '.' || s != who))
			r = buf_add(b, &c, 1);
		else
			r = buf_printf(b, "%%%02X", (unsigned char)c);
	}
	if (r < 0 || b->len <= NAME_LEN_MAX)
		return r;
	b->len = NAME_LEN_MAX - 17; /* "%" and 16 digits */
	return buf_printf(b, "%%%016" PRIx64, hash(b->p));
}

int
counts_who(struct buf *b, const char *name)
{
	size_t n = strlen(name);
	unsigned octet;
	char c;
	int r = 0;

	if (n == NAME_LEN_MAX)
		return buf_add(b, name, n) < 0 ? -1 : 1;
	for (; *name && r == 0; name++) {
		c = *name;
		if (c == '%' && sscanf(name, "%%%2X", &octet) == 1 && name[1] && name[2]) {
			c = (char)octet;
			name += 2;
		}
		r = buf_add(b, &c, 1);
	}
	return r;
}

/*
 * Open and lock the file of who, which is made unless it is only read. Returns its descriptor, or -1 with errno set
 * (ETIMEDOUT: the lock; ENOENT: only_read, and there is no file).
 */
static int
open_locked(int directory, const char *who, bool is_peer, bool only_read)
{
	const int flags = only_read ? O_RDONLY : O_RDWR | O_CREAT, lock = only_read ? LOCK_SH : LOCK_EX;
	int64_t end_ms = clock_ms() + COUNTS_WAIT_MS;
	const struct timespec pause = { 0, LOCK_LOOK_MS * 1000000L };
	struct buf name = { 0 };
	struct stat st;
	int fd = -1, e;

	e = counts_name(&name, who, is_peer) < 0 ? errno : 0;
	while (!e) {
		fd = openat(directory, name.p, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
		if (fd < 0) {
			e = errno;
			break;
		}
		if (flock(fd, lock | LOCK_NB) == 0) {
			if (fstat(fd, &st) == 0 && st.st_nlink > 0)
				break; /* it is ours; without a name it was removed while we waited */
		} else if (errno != EWOULDBLOCK && errno != EINTR)
			e = errno;
		if (!e && clock_left(end_ms) == 0)
			e = ETIMEDOUT;
		close(fd);
		fd = -1;
		if (!e)
			nanosleep(&pause, NULL);
	}
	buf_free(&name);
	errno = e;
	return fd;
}

/* Parse the lines of text whose count has not decreased to 0. Invalid lines are skipped. Returns their number. */
static size_t
read_counts(struct counts_line c[COUNTS_MAX], const char *text, int64_t now_ms)
{
	const char *line, *lf;
	size_t n = 0;

	for (line = text; n < COUNTS_MAX && (lf = strchr(line, '\n')); line = lf + 1) {
		struct counts_line *one = &c[n];

		if (sscanf(line, "%" SCNd64 " %" SCNd64 " %" SCNd64, &one->seconds, &one->had, &one->since_ms) != 3 ||
		    one->seconds < 1 || one->seconds > RATE_SECONDS_MAX || one->had < 1 || one->since_ms < 0)
			continue;
		if (one->since_ms > now_ms) /* the clock was set back: the count decreases from now on */
			one->since_ms = now_ms;
		n += now_ms - one->since_ms < one->seconds * THOUSAND;
	}
	return n;
}

/*
 * Remove the line of rate r from c. Returns what is left of its count at now_ms; without such a line a count of 0. The
 * time for a part of a thousandth is kept: otherwise a client that tries again at once each time would wait for ever.
 */
static struct counts_line
take_count(struct counts_line c[COUNTS_MAX], size_t *n, const struct rate *r, int64_t now_ms)
{
	struct counts_line left = { r->seconds, 0, now_ms };
	int64_t had, gone;
	size_t i;

	for (i = 0; i < *n && c[i].seconds != r->seconds; i++)
		;
	if (i == *n)
		return left;
	had = c[i].had < r->n * THOUSAND ? c[i].had : r->n * THOUSAND; /* the rate may have been higher */
	gone = (now_ms - c[i].since_ms) * r->n / r->seconds;
	if (had > gone) {
		left.had = had - gone;
		left.since_ms = c[i].since_ms + (gone * r->seconds + r->n - 1) / r->n; /* rounded up: at most now_ms */
	}
	c[i] = c[--*n];
	return left;
}

static int
write_counts(int fd, const struct counts_line c[COUNTS_MAX], size_t n)
{
	char text[FILE_MAX];
	size_t i, len = 0;

	for (i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, sizeof text - len, "%" PRId64 " %" PRId64 " %" PRId64 "\n", c[i].seconds,
		    c[i].had, c[i].since_ms);
	return file_write_at(fd, text, len, 0) < 0 ? -1 : ftruncate(fd, (off_t)len);
}

/* Read the lines of the file; those of the rates, at now_ms, come first. Returns 0, or -1 with errno set. */
static int
read_state(struct counts_state *s, int fd, const struct rates *r, int64_t now_ms)
{
	struct counts_line c[COUNTS_MAX];
	char text[FILE_MAX];
	ssize_t octets = fd < 0 ? 0 : pread(fd, text, sizeof text - 1, 0);
	size_t i, n;

	if (octets < 0)
		return -1;
	text[octets] = '\0';
	n = read_counts(c, text, now_ms);
	for (i = 0; i < r->n; i++) /* afterwards c has only the lines of other rates */
		s->line[i] = take_count(c, &n, &r->rate[i], now_ms);
	for (s->n = r->n, i = 0; i < n && s->n < COUNTS_MAX; i++)
		s->line[s->n++] = c[i];
	return 0;
}

/* Compare k more recipients with the rates. Returns COUNTS_OK or COUNTS_OVER. */
static enum counts_result
judge(const struct counts_state *s, const struct rates *r, int64_t k, const struct rate **which, int64_t *wait_s)
{
	size_t i;

	for (i = 0; i < r->n; i++) {
		int64_t over = s->line[i].had + k * THOUSAND - r->rate[i].n * THOUSAND;

		if (over <= 0)
			continue;
		*which = &r->rate[i];
		*wait_s = over * r->rate[i].seconds / (r->rate[i].n * THOUSAND) + 1;
		return COUNTS_OVER;
	}
	return COUNTS_OK;
}

/* Judge k more recipients, then write the counts back: with k if no rate is exceeded. */
static enum counts_result
count(int fd, const struct rates *r, int64_t k, int64_t now_ms, const struct rate **which, int64_t *wait_s)
{
	enum counts_result result;
	struct counts_state s;
	size_t i;

	if (read_state(&s, fd, r, now_ms) < 0)
		return COUNTS_ERROR;
	result = judge(&s, r, k, which, wait_s);
	for (i = 0; i < r->n && result == COUNTS_OK; i++)
		s.line[i].had += k * THOUSAND;
	return write_counts(fd, s.line, s.n) < 0 ? COUNTS_ERROR : result;
}

enum counts_result
counts_add(int directory, const char *who, bool is_peer, const struct rates *r, int64_t k, int64_t now_ms,
    const struct rate **which, int64_t *wait_s)
{
	enum counts_result result;
	int fd, e;

	if ((*which = rates_too_small(r, k)))
		return COUNTS_NEVER;
	fd = open_locked(directory, who, is_peer, false);
	if (fd < 0)
		return COUNTS_ERROR;
	result = count(fd, r, k, now_ms, which, wait_s);
	e = errno;
	close(fd); /* this releases the lock */
	errno = e;
	return result;
}

enum counts_result
counts_ask(int directory, const char *who, bool is_peer, const struct rates *r, int64_t k, int64_t now_ms,
    struct counts_state *s, const struct rate **which, int64_t *wait_s)
{
	int fd = open_locked(directory, who, is_peer, true), e, failed;

	if (fd < 0 && errno != ENOENT)
		return COUNTS_ERROR;
	failed = read_state(s, fd, r, now_ms);
	e = errno;
	if (fd >= 0)
		close(fd);
	errno = e;
	if (failed)
		return COUNTS_ERROR;
	if ((*which = rates_too_small(r, k)))
		return COUNTS_NEVER;
	return judge(s, r, k, which, wait_s);
}
