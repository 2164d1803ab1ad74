/* ISC licence, see LICENSE. */
#include "counts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

enum {
	FILE_MAX = 1024, /* octets */
	THOUSAND = 1000,
	LOCK_LOOK_MS = 5,
};

int
rates_add(struct rates *r, const char *s, size_t len)
{
	char text[24], *end;
	long n, seconds;
	size_t i;

	if (len >= sizeof text || r->n == RATES_MAX)
		return -1;
	memcpy(text, s, len);
	text[len] = '\0';
	if (text[0] < '0' || text[0] > '9')
		return -1;
	n = strtol(text, &end, 10);
	if (*end != '/' || end[1] < '0' || end[1] > '9')
		return -1;
	seconds = strtol(end + 1, &end, 10);
	if (*end || n < 0 || n > RATE_N_MAX || seconds < 1 || seconds > RATE_SECONDS_MAX)
		return -1;
	for (i = 0; i < r->n; i++)
		if (r->rate[i].seconds == seconds)
			return -1;
	r->rate[r->n++] = (struct rate){ n, seconds };
	return 0;
}

int
counts_name(struct buf *b, const char *who)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789@+-_.";
	const char *s;
	int r = 0;

	for (s = who; *s && r == 0; s++) {
		char c = *s >= 'A' && *s <= 'Z' ? (char)(*s + 32) : *s;

		if (strchr(plain, c) && (c != '.' || s != who))
			r = buf_add(b, &c, 1);
		else
			r = buf_printf(b, "%%%02X", (unsigned char)c);
	}
	return r;
}

/* The file of who, locked; nobody but us reads it. -1 with errno. */
static int
open_locked(int directory, const char *who)
{
	int64_t end_ms = clock_ms() + COUNTS_WAIT_MS;
	const struct timespec pause = { 0, LOCK_LOOK_MS * 1000000L };
	struct buf name = { 0 };
	int fd = -1, e;

	if (counts_name(&name, who) == 0)
		fd = openat(directory, name.len ? name.p : "%", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	e = errno;
	buf_free(&name);
	while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
		e = errno;
		if ((e == EWOULDBLOCK || e == EINTR) && clock_left(end_ms) > 0) {
			nanosleep(&pause, NULL);
			continue;
		}
		close(fd);
		fd = -1;
		e = e == EWOULDBLOCK ? ETIMEDOUT : e;
	}
	errno = e;
	return fd;
}

/* What still counts of the line for a rate, in thousandths. */
static int64_t
still(const struct rate *r, int64_t count, int64_t since_ms, int64_t now_ms)
{
	int64_t passed = now_ms - since_ms;

	if (passed < 0) /* a clock that was set back: nothing has faded */
		passed = 0;
	if (passed >= r->seconds * THOUSAND || count < 0)
		return 0;
	if (count > r->n * THOUSAND) /* the rate was lowered */
		count = r->n * THOUSAND;
	passed = passed * r->n / r->seconds;
	return count > passed ? count - passed : 0;
}

/* The counts of a file's text, 0 where there is none. A line that is none is passed over: who can write there may. */
static void
read_counts(const char *text, const struct rates *r, int64_t now_ms, int64_t count[RATES_MAX])
{
	const char *line, *lf;
	int64_t seconds, had, since;
	size_t i;

	for (i = 0; i < r->n; i++)
		count[i] = 0;
	for (line = text; (lf = strchr(line, '\n')); line = lf + 1) {
		if (sscanf(line, "%" SCNd64 " %" SCNd64 " %" SCNd64, &seconds, &had, &since) != 3)
			continue;
		for (i = 0; i < r->n; i++)
			if (r->rate[i].seconds == seconds)
				count[i] = still(&r->rate[i], had, since, now_ms);
	}
}

static int
write_counts(int fd, const struct rates *r, int64_t now_ms, const int64_t count[RATES_MAX])
{
	char text[FILE_MAX];
	size_t i, n = 0;
	ssize_t done;

	for (i = 0; i < r->n; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "%" PRId64 " %" PRId64 " %" PRId64 "\n", r->rate[i].seconds,
		    count[i], now_ms);
	done = pwrite(fd, text, n, 0);
	if (done >= 0 && (size_t)done < n)
		errno = ENOSPC;
	return done < 0 || (size_t)done < n ? -1 : ftruncate(fd, (off_t)n);
}

enum counts_result
counts_add(int directory, const char *who, const struct rates *r, int64_t k, int64_t now_ms, const struct rate **which,
    int64_t *wait_s)
{
	enum counts_result result = COUNTS_OK;
	int64_t count[RATES_MAX], over;
	char text[FILE_MAX];
	ssize_t n;
	size_t i;
	int fd, e;

	for (i = 0; i < r->n; i++)
		if (k > r->rate[i].n) {
			*which = &r->rate[i];
			return COUNTS_NEVER;
		}
	fd = open_locked(directory, who);
	if (fd < 0)
		return COUNTS_ERROR;
	n = pread(fd, text, sizeof text - 1, 0);
	if (n >= 0) {
		text[n] = '\0';
		read_counts(text, r, now_ms, count);
		for (i = 0; i < r->n && result == COUNTS_OK; i++) {
			over = count[i] + k * THOUSAND - r->rate[i].n * THOUSAND;
			count[i] += k * THOUSAND;
			if (over > 0) {
				result = COUNTS_OVER;
				*which = &r->rate[i];
				*wait_s = over * r->rate[i].seconds / (r->rate[i].n * THOUSAND) + 1;
			}
		}
	}
	if (n < 0 || (result == COUNTS_OK && write_counts(fd, r, now_ms, count) < 0))
		result = COUNTS_ERROR;
	e = errno;
	close(fd); /* and the lock is gone */
	errno = e;
	return result;
}
