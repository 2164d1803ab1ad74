/* ISC licence, see LICENSE. */
#include "tally.h"

#include <stdlib.h>
#include <string.h>

static size_t
slot_of(const char *name, size_t n)
{
	uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a; max bounds the names that a stranger could choose */
	size_t i;

	for (i = 0; i < n; i++)
		h = (h ^ (unsigned char)name[i]) * UINT64_C(1099511628211);
	return (size_t)(h >> 32) & (TALLY_SLOTS - 1);
}

struct tally_entry *
tally_find(struct tally *t, const char *name, size_t n)
{
	struct tally_entry *e, **slot;

	if (n >= TALLY_NAME)
		n = TALLY_NAME - 1;
	slot = &t->slot[slot_of(name, n)];
	for (e = *slot; e; e = e->next)
		if (strncmp(e->name, name, n) == 0 && e->name[n] == '\0')
			return e;
	if (t->n >= (t->max ? t->max : TALLY_SLOTS))
		return &t->others;
	e = calloc(1, sizeof *e);
	if (!e)
		return NULL;
	memcpy(e->name, name, n);
	e->next = *slot;
	*slot = e;
	t->n++;
	return e;
}

int
tally_time(struct tally_entry *e, int64_t value)
{
	if (value < 0)
		return 0;
	if (!e->times)
		e->times = calloc(1, sizeof *e->times);
	if (!e->times)
		return -1;
	histogram_add(e->times, value);
	return 0;
}

static int
compare(const void *a, const void *b)
{
	const struct tally_entry *x = *(const struct tally_entry *const *)a, *y = *(const struct tally_entry *const *)b;

	if (x->sum[0] != y->sum[0])
		return x->sum[0] < y->sum[0] ? 1 : -1;
	return strcmp(x->name, y->name);
}

const struct tally_entry **
tally_sorted(const struct tally *t)
{
	const struct tally_entry **list = malloc((t->n + 1) * sizeof *list), *e;
	size_t i, n = 0;

	for (i = 0; list && i < TALLY_SLOTS; i++)
		for (e = t->slot[i]; e; e = e->next)
			list[n++] = e;
	if (list)
		qsort(list, n, sizeof *list, compare);
	return list;
}

void
tally_free(struct tally *t)
{
	struct tally_entry *e;
	size_t i;

	for (i = 0; i < TALLY_SLOTS; i++)
		while ((e = t->slot[i])) {
			t->slot[i] = e->next;
			free(e->times);
			free(e);
		}
	free(t->others.times);
}
