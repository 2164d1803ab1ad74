/* ISC licence, see LICENSE. */
#include "msa/buf.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "unit.h"

static size_t zeroed; /* octets, by the last call of explicit_bzero */

/* In place of the C library's, so that a test sees which octets were zeroed: they are freed right afterwards. */
void
explicit_bzero(void *p, size_t n)
{
	volatile char *c = p;

	for (zeroed = n; n > 0; n--)
		*c++ = '\0';
}

/*
 * Commands on standard input: "add text", "printf text", "consume n", "clear", "fill n", "huge", "wipe". Each shows the
 * buf after it. "forget" wipes, and shows how many octets were zeroed. "nomem" prints a text for which there is no
 * memory, and shows how much of it stays in the storage.
 */
int
unit_buf(int argc, char **argv)
{
	struct buf b = { 0 };
	char *s, *arg;
	size_t n, i;

	(void)argc;
	(void)argv;
	while ((s = unit_line(&n, NULL))) {
		int r = 0;

		arg = strchr(s, ' ');
		if (arg)
			*arg++ = '\0';
		else
			arg = s + strlen(s);
		if (strcmp(s, "add") == 0)
			r = buf_add(&b, arg, n - (size_t)(arg - s));
		else if (strcmp(s, "printf") == 0)
			r = buf_printf(&b, "[%s]", arg);
		else if (strcmp(s, "consume") == 0)
			buf_consume(&b, strtoul(arg, NULL, 10));
		else if (strcmp(s, "clear") == 0)
			buf_clear(&b);
		else if (strcmp(s, "wipe") == 0)
			buf_wipe(&b);
		else if (strcmp(s, "forget") == 0) {
			n = b.cap;
			zeroed = 0;
			buf_wipe(&b);
			printf("zeroed %zu of %zu, ", zeroed, n);
		} else if (strcmp(s, "fill") == 0)
			for (i = strtoul(arg, NULL, 10); i > 0 && r == 0; i--)
				r = buf_puts(&b, "x");
		else if (strcmp(s, "huge") == 0) {
			errno = 0;
			r = buf_room(&b, SIZE_MAX - 1);
			printf("errno %s, ", errno == ENOMEM ? "ENOMEM" : "other");
		}
		else if (strcmp(s, "nomem") == 0) {
			struct rlimit few = { 64 << 20, RLIM_INFINITY };

			setrlimit(RLIMIT_AS, &few);
			r = buf_printf(&b, "%*s", 100 << 20, "secret");
			for (n = 0, i = b.len; i < b.cap; i++)
				n += b.p[i] != '\0';
			printf("left %zu, ", n);
		}
		printf("%d: %zu ", r, b.len);
		if (b.len <= 60)
			unit_show(b.p, b.len);
		printf("%s\n", b.p && b.p[b.len] != '\0' ? " NO NUL" : b.len > 0 && b.len >= b.cap ? " FULL" : "");
		free(s);
	}
	buf_free(&b);
	return 0;
}
