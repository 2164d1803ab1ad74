/* ISC licence, see LICENSE. */
/*
 * For LD_PRELOAD with glibc: makes allocations fail in the process whose name is OOM_IN, not in its children. OOM_AT:
 * the number of the one that fails; OOM_ALL: all after it fail too. OOM_OVER: all of that many octets or more fail.
 * OOM_COUNT: the file that gets the number of allocations when the process ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char *program_invocation_short_name;
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);

static long n;
static pid_t self; /* the process that is meant; -1: not this program */

static long
number(const char *name)
{
	const char *s = getenv(name);

	return s ? atol(s) : 0;
}

static int
fails(size_t size)
{
	static long at, over;
	const char *in;

	if (self == 0) {
		in = getenv("OOM_IN");
		self = in && strcmp(in, program_invocation_short_name) == 0 ? getpid() : -1;
		at = number("OOM_AT");
		over = number("OOM_OVER");
	}
	if (self != getpid())
		return 0;
	n++;
	if ((over > 0 && size >= (size_t)over) || (at > 0 && (n == at || (n > at && getenv("OOM_ALL"))))) {
		errno = ENOMEM;
		return 1;
	}
	return 0;
}

void *
malloc(size_t size)
{
	return fails(size) ? NULL : __libc_malloc(size);
}

void *
calloc(size_t count, size_t size)
{
	return fails(count * size) ? NULL : __libc_calloc(count, size);
}

void *
realloc(void *p, size_t size)
{
	return fails(size) ? NULL : __libc_realloc(p, size);
}

static void __attribute__((destructor))
count(void)
{
	const char *path = getenv("OOM_COUNT");
	char text[24];
	int fd;

	if (!path || self != getpid() || (fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600)) < 0)
		return;
	snprintf(text, sizeof text, "%ld\n", n);
	if (write(fd, text, strlen(text)) < 0)
		abort();
	close(fd);
}
