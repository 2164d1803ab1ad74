/* ISC licence, see LICENSE. */
/*
 * For LD_PRELOAD with glibc: in the process whose name is OOM_IN, and not in its children, allocation number OOM_AT
 * fails; where OOM_ALL is set, all after it too.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char *program_invocation_short_name;
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);

static int
fails(void)
{
	static long n, at;
	static pid_t self;
	const char *s;

	if (self == 0) {
		self = getpid();
		s = getenv("OOM_IN");
		if (s && strcmp(s, program_invocation_short_name) == 0)
			at = atol(getenv("OOM_AT"));
	}
	if (at == 0 || self != getpid() || ++n < at || (n > at && !getenv("OOM_ALL")))
		return 0;
	errno = ENOMEM;
	return 1;
}

void *
malloc(size_t n)
{
	return fails() ? NULL : __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
	return fails() ? NULL : __libc_realloc(p, n);
}
