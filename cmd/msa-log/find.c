/* ISC licence, see LICENSE. */
#include "find.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kind.h"
#include "show.h"

/* A message of a story, and the conditions that its lines fulfil. */
struct part {
	struct logline_text id;
	unsigned mask;
};

struct parts {
	struct part *part; /* owned */
	size_t n;
	unsigned session; /* the conditions that the lines without a message fulfil */
};

int
find_add(struct find *f, const char *word)
{
	static const char *const texts[] = { "any", "reply", "reason", "why", "text", NULL };
	struct find_condition *c = &f->condition[f->n];
	size_t n = strcspn(word, "="), k = 0, i;
	const char *p = word + n + 1;

	if (f->n == FIND_MAX) {
		errno = E2BIG;
		return -1;
	}
	errno = EINVAL;
	if (n > LOGLINE_STAGE || n == 0 || word[n] == '\0' || *p == '\0')
		return -1;
	memcpy(c->key, word, n);
	c->key[n] = '\0';
	c->anywhere = false;
	for (i = 0; texts[i]; i++)
		c->anywhere |= strcmp(c->key, texts[i]) == 0;
	for (; *p; p++) {
		bool plain = *p >= ' ' && *p <= '~' && *p != '"';

		if (k + 5 > sizeof c->pattern)
			return -1;
		if (plain)
			c->pattern[k++] = (char)tolower((unsigned char)*p);
		else
			k += (size_t)snprintf(c->pattern + k, 5, "\\x%02x", (unsigned char)*p);
	}
	c->pattern[k] = '\0';
	f->n++;
	return 0;
}

static bool
is_pattern_of(const struct find_condition *c, const struct logline_text *t)
{
	char value[LOGLINE_TEXT + 1];
	size_t i;

	for (i = 0; i < t->n; i++)
		value[i] = (char)tolower((unsigned char)t->p[i]);
	value[i] = '\0';
	if (c->anywhere)
		return strstr(value, c->pattern) != NULL;
	return strcmp(value, c->pattern) == 0 || fnmatch(c->pattern, value, FNM_NOESCAPE) == 0;
}

static bool
fulfils(const struct find_condition *c, const struct logline *l)
{
	size_t i;

	if (strcmp(c->key, "any") == 0)
		return is_pattern_of(c, &l->rest);
	if (strcmp(c->key, "stage") == 0)
		return is_pattern_of(c, &l->stage);
	if (strcmp(c->key, "event") == 0)
		return is_pattern_of(c, &l->event);
	for (i = 0; i < l->n; i++) /* tlsd calls the address peer */
		if ((logline_is(&l->field[i].key, c->key) ||
		    (strcmp(c->key, "ip") == 0 && logline_is(&l->field[i].key, "peer"))) &&
		    is_pattern_of(c, &l->field[i].value))
			return true;
	return false;
}

unsigned
find_line(const struct find *f, const struct logline *l)
{
	unsigned mask = 0, together = 0;
	size_t i;

	for (i = 0; i < f->n; i++) {
		if (strcmp(f->condition[i].key, "stage") == 0 || strcmp(f->condition[i].key, "event") == 0)
			together |= 1u << i;
		if (fulfils(&f->condition[i], l))
			mask |= 1u << i;
	}
	return (mask & together) == together ? mask : mask & ~together; /* a stage and an event are of one line */
}

static struct part *
part_of(struct parts *p, const struct logline_text *id)
{
	size_t i = p->n;

	while (i > 0) { /* the last one is the usual one */
		const struct logline_text *t = &p->part[--i].id;

		if (t->n == id->n && memcmp(t->p, id->p, id->n) == 0)
			return &p->part[i];
	}
	p->part[p->n] = (struct part){ .id = *id };
	return &p->part[p->n++];
}

/* Look at all lines of a story. Returns 0, or -1 with errno set (ENOMEM). */
static int
divide(struct parts *p, const struct find *f, const struct story *s)
{
	struct logline l;
	size_t at = 0;

	*p = (struct parts){ .part = malloc((s->lines ? s->lines : 1) * sizeof *p->part) };
	if (!p->part)
		return -1;
	while (story_line(s, &at, &l)) {
		if (l.message.n == 0)
			p->session |= find_line(f, &l);
		else
			part_of(p, &l.message)->mask |= find_line(f, &l);
	}
	return 0;
}

bool
find_story(const struct find *f, const struct story *s)
{
	unsigned all = (1u << f->n) - 1;
	struct parts p;
	size_t i;
	bool found;

	if (divide(&p, f, s) < 0)
		return false;
	found = p.session == all;
	for (i = 0; !found && i < p.n; i++)
		found = (p.part[i].mask | p.session) == all;
	free(p.part);
	return found;
}

/* Returns true if the line says what became of the message: for the client, or for a recipient. */
static bool
is_outcome(const struct logline *l)
{
	static const char *const events[] = { "reached", "spooled", "refused", "deferred", "expired", "cancelled", "copy",
		"failed", "untold", "accepted", "mixed", NULL };

	return kind_is_one_of(&l->event, events);
}

/* Print the outcome of a message, or with id NULL of a session without one. */
static void
print_outcome(const struct story *s, const char *id)
{
	char text[SHOW_TIME] = "-";
	struct logline l;
	size_t at = 0;
	bool any = false;

	while (story_line(s, &at, &l)) {
		if (id ? l.message.n == 0 || !logline_is(&l.message, id) : l.message.n > 0)
			continue;
		if (!any) {
			show_time(text, l.us, 0);
			printf("%s %s%s%s\n", text, *s->key == '/' ? "-" : s->key, id ? "/" : "", id ? id : "");
		}
		any = true;
		if (!id || is_outcome(&l))
			printf("    %.*s %.*s\n", (int)l.stage.n, l.stage.p, (int)(l.rest.p + l.rest.n - l.event.p), l.event.p);
	}
}

size_t
find_print(const struct find *f, const struct story *s, bool timeline)
{
	unsigned all = (1u << f->n) - 1;
	char id[LOGLINE_ID + 1];
	struct parts p;
	size_t i, n = 0;

	if (divide(&p, f, s) < 0)
		return 0;
	for (i = 0; i < p.n; i++) {
		if ((p.part[i].mask | p.session) != all)
			continue;
		memcpy(id, p.part[i].id.p, p.part[i].id.n);
		id[p.part[i].id.n] = '\0';
		n++;
		if (timeline)
			show_timeline(s, id);
		else
			print_outcome(s, id);
	}
	if (p.n == 0 && p.session == all) {
		n++;
		if (timeline)
			show_timeline(s, NULL);
		else
			print_outcome(s, NULL);
	}
	free(p.part);
	return n;
}
