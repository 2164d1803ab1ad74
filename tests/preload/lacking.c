/* ISC licence, see LICENSE. */
/*
 * For LD_PRELOAD: a kernel that lacks what LACKING says: "landlock", "ports" (Landlock's control of TCP ports), or
 * "seccomp".
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

enum { LANDLOCK_CREATE = 444, LANDLOCK_RULE = 445, LANDLOCK_ENTER = 446, OLD = 3 };

static int
lacks(const char *what)
{
	const char *lacking = getenv("LACKING");

	return lacking && strcmp(lacking, what) == 0;
}

static void
take(long *a, int n, va_list ap)
{
	int i;

	for (i = 0; i < n; i++)
		a[i] = va_arg(ap, long);
}

long
syscall(long number, ...)
{
	long (*real)(long, ...), a[6];
	va_list ap;

	va_start(ap, number);
	take(a, 6, ap);
	va_end(ap);
	if (number >= LANDLOCK_CREATE && number <= LANDLOCK_ENTER && lacks("landlock")) {
		errno = ENOSYS;
		return -1;
	}
	if (number == LANDLOCK_CREATE && a[0] == 0 && lacks("ports"))
		return OLD;
	*(void **)&real = dlsym(RTLD_NEXT, "syscall");
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int
prctl(int option, ...)
{
	int (*real)(int, ...);
	long a[4];
	va_list ap;

	va_start(ap, option);
	take(a, 4, ap);
	va_end(ap);
	if (option == PR_GET_SECCOMP && lacks("seccomp")) {
		errno = EINVAL;
		return -1;
	}
	*(void **)&real = dlsym(RTLD_NEXT, "prctl");
	return real(option, a[0], a[1], a[2], a[3]);
}
