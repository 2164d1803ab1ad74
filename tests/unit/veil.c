/* ISC licence, see LICENSE. */
#include "tlsd/veil.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

/* Add what the client gets of the n octets at s, in pieces of the same size. Returns 0, or -1. */
static int
pass(const char *s, size_t n, size_t size, struct buf *got)
{
	struct buf b = { 0 };
	struct veil v = { 0 };
	size_t i, part;
	int r = 0;

	for (i = 0; r == 0 && i < n; i += part) {
		part = size < n - i ? size : n - i;
		r = buf_add(&b, s + i, part) < 0 || veil_pass(&v, &b, i + part == n) < 0 || buf_add(got, b.p, b.len) < 0 ? -1 : 0;
		buf_clear(&b);
	}
	buf_free(&b);
	veil_free(&v);
	return r;
}

/* Each line is the whole output of a stage: print what the client gets of it, which must not depend on the pieces. */
static int
whole(const char *s, size_t n)
{
	struct buf all = { 0 }, got = { 0 };
	size_t size;
	int r = pass(s, n, n, &all);

	for (size = 1; r == 0 && size < n; size++) {
		buf_clear(&got);
		r = pass(s, n, size, &got);
		if (r == 0 && (got.len != all.len || (all.len > 0 && memcmp(got.p, all.p, all.len) != 0)))
			printf("(in pieces of %zu otherwise) ", size);
	}
	if (r == 0 && all.len > 0)
		unit_show(all.p, all.len);
	buf_free(&all);
	buf_free(&got);
	return r;
}

/* whole: see above. pieces: each line is the next piece of one stage's output, and what the client gets by then. */
int
unit_veil(int argc, char **argv)
{
	struct veil v = { 0 };
	struct buf b = { 0 };
	char *s, *raw;
	int r = 0;
	size_t n;

	while (r == 0 && (s = unit_line(&n, &raw))) {
		printf("%s => ", raw);
		if (argc > 1 && strcmp(argv[1], "whole") == 0)
			r = whole(s, n);
		else if ((r = buf_add(&b, s, n)) == 0 && (r = veil_pass(&v, &b, false)) == 0)
			unit_show(b.p, b.len);
		putchar('\n');
		buf_clear(&b);
		free(s);
		free(raw);
	}
	buf_free(&b);
	veil_free(&v);
	return r == 0 ? 0 : 111;
}
