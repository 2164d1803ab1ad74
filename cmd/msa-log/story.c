/* ISC licence, see LICENSE. */
#include "story.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What stands before the text of a line that is kept. */
struct record {
	int64_t us;
	bool guessed;
	unsigned short n;
};

static size_t
slot_of(const char *key, size_t n)
{
	uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a; the keys are ids, half of them random */
	size_t i;

	for (i = 0; i < n; i++)
		h = (h ^ (unsigned char)key[i]) * UINT64_C(1099511628211);
	return (size_t)(h >> 32) & (STORY_SLOTS - 1);
}

static void
take_out(struct stories *all, struct story *s)
{
	*(s->older ? &s->older->newer : &all->oldest) = s->newer;
	*(s->newer ? &s->newer->older : &all->newest) = s->older;
}

static void
put_last(struct stories *all, struct story *s)
{
	s->newer = NULL;
	s->older = all->newest;
	*(all->newest ? &all->newest->newer : &all->oldest) = s;
	all->newest = s;
}

/* End a story. Its memory is for the next one. */
static void
end(struct stories *all, struct story *s)
{
	struct story **p = &all->slot[slot_of(s->key, strlen(s->key))];

	if (all->end)
		all->end(s, all->ctx);
	while (*p != s)
		p = &(*p)->next;
	*p = s->next;
	take_out(all, s);
	all->n--;
	all->wanted -= s->wanted;
	all->octets -= s->text.cap;
	buf_free(&s->text);
	s->next = all->spare;
	all->spare = s;
}

/* End the oldest that need not stay. Returns false if there is none but keep. */
static bool
end_oldest(struct stories *all, const struct story *keep)
{
	struct story *s = all->oldest;

	while (s && (s->wanted || s == keep))
		s = s->newer;
	if (s)
		end(all, s);
	return s != NULL;
}

static struct story *
open_story(struct stories *all, const char *key, size_t n, size_t slot)
{
	struct story *s = all->spare;

	if (all->n - all->wanted >= STORY_OPEN) {
		end_oldest(all, NULL);
		s = all->spare;
	}
	if (s)
		all->spare = s->next;
	else
		s = malloc(sizeof *s);
	if (!s)
		return NULL;
	*s = (struct story){ .next = all->slot[slot] };
	memcpy(s->key, key, n);
	all->slot[slot] = s;
	put_last(all, s);
	all->n++;
	return s;
}

struct story *
stories_add(struct stories *all, const struct logline *l)
{
	struct record r = { .us = l->us, .guessed = l->guessed };
	char own[LOGLINE_ID + 2];
	const char *key = l->session.p;
	size_t n = l->session.n, slot, cap;
	struct story *s;

	errno = 0;
	if (n == 1 && *key == '-') {
		if (l->message.n == 0)
			return NULL;
		own[0] = '/';
		memcpy(own + 1, l->message.p, l->message.n);
		key = own;
		n = l->message.n + 1;
	}
	slot = slot_of(key, n);
	for (s = all->slot[slot]; s && (strncmp(s->key, key, n) != 0 || s->key[n]); s = s->next)
		;
	if (!s && !(s = open_story(all, key, n, slot)))
		return NULL;
	if (s != all->newest) {
		take_out(all, s);
		put_last(all, s);
	}
	if (s->lines >= STORY_LINES) {
		s->left_out++;
		return s;
	}
	r.n = (unsigned short)(l->stage.n + 2 + l->rest.n);
	cap = s->text.cap;
	if (buf_room(&s->text, sizeof r + r.n) < 0)
		return NULL;
	buf_add(&s->text, &r, sizeof r);
	buf_add(&s->text, l->stage.p, l->stage.n);
	buf_add(&s->text, ": ", 2);
	buf_add(&s->text, l->rest.p, l->rest.n);
	s->lines++;
	all->octets += s->text.cap - cap;
	while (all->octets > STORY_OCTETS && end_oldest(all, s))
		;
	return s;
}

bool
story_line(const struct story *s, size_t *at, struct logline *l)
{
	struct record r;

	if (*at >= s->text.len)
		return false;
	memcpy(&r, s->text.p + *at, sizeof r);
	*at += sizeof r;
	if (!logline_parse(l, s->text.p + *at, r.n)) /* it was parsed before */
		return false;
	l->us = r.us;
	l->guessed = r.guessed;
	*at += r.n;
	return true;
}

void
stories_end(struct stories *all)
{
	struct story *s;

	while (all->oldest)
		end(all, all->oldest);
	while ((s = all->spare)) {
		all->spare = s->next;
		free(s);
	}
}
