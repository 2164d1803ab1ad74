/* ISC licence, see LICENSE. */
#include "agenda.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
agenda_room(struct agenda *a, size_t n)
{
	struct agenda_entry *v;
	size_t cap = a->cap ? a->cap : 64;

	while (cap < a->n + n)
		cap *= 2;
	if (cap == a->cap)
		return 0;
	v = realloc(a->v, cap * sizeof *v);
	if (!v)
		return -1;
	a->v = v;
	a->cap = cap;
	return 0;
}

/* Ids sort by the time at which they were made. */
static bool
is_before(const struct agenda_entry *a, const struct agenda_entry *b)
{
	return a->due != b->due ? a->due < b->due : strcmp(a->id, b->id) < 0;
}

static void
swap(struct agenda *a, size_t i, size_t k)
{
	struct agenda_entry e = a->v[i];

	a->v[i] = a->v[k];
	a->v[k] = e;
}

void
agenda_add(struct agenda *a, const char *id, time_t due)
{
	size_t i = a->n++;

	a->v[i].due = due;
	snprintf(a->v[i].id, ID_MAX, "%s", id);
	for (; i > 0 && is_before(&a->v[i], &a->v[(i - 1) / 2]); i = (i - 1) / 2)
		swap(a, i, (i - 1) / 2);
}

struct agenda_entry
agenda_take(struct agenda *a)
{
	struct agenda_entry first = a->v[0];
	size_t i = 0, k;

	a->v[0] = a->v[--a->n];
	for (; (k = 2 * i + 1) < a->n; i = k) {
		if (k + 1 < a->n && is_before(&a->v[k + 1], &a->v[k]))
			k++;
		if (!is_before(&a->v[k], &a->v[i]))
			break;
		swap(a, i, k);
	}
	return first;
}

void
agenda_renew(struct agenda *a, time_t (*due)(void *arg, const char *id), void *arg)
{
	size_t i, n = a->n;

	for (i = a->n = 0; i < n; i++) { /* entry i is taken out, and added again among the first a->n <= i */
		struct agenda_entry e = a->v[i];
		time_t t = due(arg, e.id);

		agenda_add(a, e.id, e.due < t ? e.due : t);
	}
}

void
agenda_free(struct agenda *a)
{
	free(a->v);
	*a = (struct agenda){ 0 };
}
