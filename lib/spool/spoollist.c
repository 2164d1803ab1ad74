/* ISC licence, see LICENSE. */
#include "spool/spoollist.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A list, and the folder that is being read into it. */
struct reading {
	struct spoollist *list;
	bool is_new;
};

int
spoollist_add(struct spoollist *l, const char *id, bool is_new)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 64;
		struct spoollist_item *v = realloc(l->v, cap * sizeof *v);

		if (!v)
			return -1;
		l->v = v;
		l->cap = cap;
	}
	snprintf(l->v[l->n].id, sizeof l->v[l->n].id, "%s", id);
	l->v[l->n++].is_new = is_new;
	return 0;
}

static int
add(void *arg, const char *id)
{
	const struct reading *r = arg;

	return spoollist_add(r->list, id, r->is_new);
}

static int
by_id(const void *a, const void *b)
{
	return strcmp(((const struct spoollist_item *)a)->id, ((const struct spoollist_item *)b)->id);
}

int
spoollist_read(struct spoollist *l, const struct spool *s)
{
	struct reading r = { l, true };
	size_t i, n = 0;

	if (spool_each(s, "new", add, &r) < 0 && errno != ENOENT)
		return -1;
	r.is_new = false;
	if (spool_each(s, "cur", add, &r) < 0 && errno != ENOENT)
		return -1;
	if (l->n > 0)
		qsort(l->v, l->n, sizeof *l->v, by_id);
	for (i = 0; i < l->n; i++) /* a message that was moved while we read is there twice */
		if (n > 0 && strcmp(l->v[n - 1].id, l->v[i].id) == 0)
			l->v[n - 1].is_new = false;
		else
			l->v[n++] = l->v[i];
	l->n = n;
	return 0;
}

void
spoollist_free(struct spoollist *l)
{
	free(l->v);
	*l = (struct spoollist){ 0 };
}

int
spoollist_load(const struct spool *s, struct spoollist_item *i, struct spoolrec *m, int *message, const char **why)
{
	int r = i->is_new ? spool_load(s, "new", i->id, m, message, why) : 0;

	if (r == 0 && i->is_new)
		return 0;
	if (r < 0 && errno != ENOENT)
		return -1;
	i->is_new = false;
	return spool_load(s, "cur", i->id, m, message, why);
}

bool
spoollist_is_there(const struct spool *s, struct spoollist_item *i)
{
	i->is_new = spool_is_in(s, "new", i->id);
	return i->is_new || spool_is_in(s, "cur", i->id);
}

const char *
spoollist_sub(const struct spoollist_item *i)
{
	return i->is_new ? "new" : "cur";
}
