/* ISC licence, see LICENSE. */
#include "day.h"

#include <stdio.h>
#include <string.h>

#include "kind.h"

enum {
	NAMES = 8192,   /* users, addresses */
	REASONS = 2048, /* texts, a part of which next hops choose */
	HOPS = 1024,
};

/* The values of a line that are asked for, found in one walk. */
struct values {
	const struct logline_text *user, *ip, *code, *reason, *why, *to, *mech, *tls, *cipher, *verb, *reply, *rcpt, *net;
};

void
day_open(struct day *d)
{
	struct tally *const names[] = { &d->users, &d->guessers }, *const few[] = { &d->hops, &d->fates, &d->tls, &d->work },
	    *const reasons[] = { &d->refusals, &d->commands, &d->logins, &d->stages, &d->shakes, &d->penalties, &d->troubles };
	size_t i;

	memset(d, 0, sizeof *d);
	d->first_us = d->last_us = -1;
	d->bar_s = DAY_BAR_S;
	for (i = 0; i < sizeof names / sizeof *names; i++)
		names[i]->max = NAMES;
	for (i = 0; i < sizeof reasons / sizeof *reasons; i++)
		reasons[i]->max = REASONS;
	for (i = 0; i < sizeof few / sizeof *few; i++)
		few[i]->max = HOPS;
}

void
day_free(struct day *d)
{
	struct tally *const all[] = { &d->users, &d->guessers, &d->hops, &d->fates, &d->tls, &d->work, &d->refusals,
		&d->commands, &d->logins, &d->stages, &d->shakes, &d->penalties, &d->troubles };
	size_t i;

	for (i = 0; i < sizeof all / sizeof *all; i++)
		tally_free(all[i]);
}

static void
find_values(struct values *v, const struct logline *l)
{
	static const char *const keys[] = { "user", "ip", "code", "reason", "why", "to", "mech", "tls", "cipher", "verb",
		"reply", "rcpt", "net" };
	const struct logline_text **const to[] = { &v->user, &v->ip, &v->code, &v->reason, &v->why, &v->to, &v->mech, &v->tls,
		&v->cipher, &v->verb, &v->reply, &v->rcpt, &v->net };
	size_t i, k;

	*v = (struct values){ .user = NULL };
	for (i = 0; i < l->n; i++) {
		const struct logline_text *key = &l->field[i].key;

		for (k = 0; k < sizeof keys / sizeof *keys; k++)
			if (*keys[k] == *key->p && logline_is(key, keys[k])) {
				if (!*to[k])
					*to[k] = &l->field[i].value;
				break;
			}
	}
}

/* Count a name that is made of several texts, those that are NULL left out. The result is as that of tally_find. */
static struct tally_entry *
count(struct tally *t, const struct logline_text *a, const char *between, const struct logline_text *b,
    const struct logline_text *c)
{
	char name[TALLY_NAME];
	size_t n = 0, i;
	const struct logline_text *part[] = { a, b, c };
	struct tally_entry *e;

	for (i = 0; i < 3; i++) {
		const char *space = n == 0 ? "" : i == 1 ? between : " ";
		size_t room = sizeof name - n, k;

		if (!part[i])
			continue;
		k = strlen(space);
		if (k + part[i]->n >= room) /* it is cut off */
			break;
		memcpy(name + n, space, k);
		memcpy(name + n + k, part[i]->p, part[i]->n);
		n += k + part[i]->n;
	}
	e = tally_find(t, name, n);
	if (e)
		e->sum[0]++;
	return e;
}

/* The bar of a time. The bars become twice as long until there is one. */
static struct day_bar *
bar_of(struct day *d, int64_t second)
{
	int64_t i;
	size_t k;

	if (d->bar_begin == 0)
		d->bar_begin = second - second % 3600;
	while ((i = (second - d->bar_begin) / d->bar_s) >= DAY_BARS) {
		for (k = 0; k < DAY_BARS / 2; k++) {
			d->bar[k].accepted = d->bar[2 * k].accepted + d->bar[2 * k + 1].accepted;
			d->bar[k].refused = d->bar[2 * k].refused + d->bar[2 * k + 1].refused;
		}
		memset(d->bar + DAY_BARS / 2, 0, sizeof d->bar / 2);
		d->bar_s *= 2;
	}
	return &d->bar[i < 0 ? 0 : i]; /* the lines of several logs may be a little out of order */
}

/* A message, as the client's stage tells it. */
static int
add_message(struct day *d, const struct logline *l, const struct values *v)
{
	bool whole = logline_is(&l->event, "accepted"), some = logline_is(&l->event, "mixed");
	const struct logline_text ip = { "ip", 2 }, nobody = { "(no name)", 9 };
	int64_t ms = logline_number(l, "ms"), rcpts = logline_number(l, "rcpts"), octets = logline_number(l, "size");
	struct tally_entry *e = v->user ? count(&d->users, v->user, "", NULL, NULL) :
	    v->ip ? count(&d->users, &ip, ":", v->ip, NULL) : count(&d->users, &nobody, "", NULL, NULL);

	if (!e)
		return -1;
	if (whole) {
		d->messages++;
		if (rcpts > 0)
			d->rcpts += rcpts;
		if (octets > 0)
			d->octets += octets;
		e->sum[USER_RCPTS] += rcpts > 0 ? rcpts : 0;
		e->sum[USER_OCTETS] += octets > 0 ? octets : 0;
	} else if (some)
		d->mixed++;
	else {
		d->refused++;
		e->sum[USER_REFUSED]++;
	}
	if (ms >= 0)
		histogram_add(&d->times, ms);
	if (l->us > 0) {
		struct day_bar *b = bar_of(d, l->us / 1000000);

		*(whole || some ? &b->accepted : &b->refused) += 1;
	}
	return whole || count(&d->refusals, v->code, " ", v->reason, NULL) ? 0 : -1;
}

static int
add_login(struct day *d, const struct logline *l, const struct values *v)
{
	const struct logline_text nowhere = { "(no address)", 12 };

	if (!count(&d->logins, &l->event, " ", v->mech, v->reason))
		return -1;
	if (logline_is(&l->event, "refused"))
		return count(&d->guessers, v->ip ? v->ip : &nowhere, "", NULL, NULL) ? 0 : -1;
	return 0;
}

/* An attempt to deliver a message. */
static int
add_delivery(struct day *d, const struct logline *l, const struct values *v)
{
	int64_t rcpts = logline_number(l, "rcpts"), accepted = logline_number(l, "accepted");
	struct tally_entry *e = count(&d->hops, v->to, "", NULL, NULL);

	if (!e)
		return -1;
	e->sum[HOP_RCPTS] += rcpts > 0 ? rcpts : 0;
	e->sum[HOP_ACCEPTED] += accepted > 0 ? accepted : 0;
	return tally_time(e, logline_number(l, "ms"));
}

/* What went wrong, or why a stage has refused a message. Returns 0, or -1 with errno set. */
static int
add_trouble(struct day *d, const struct logline *l, const struct values *v, bool is_hop)
{
	static const char *const troubles[] = { "failed", "misuse", "lost", "verdict", "unanswered", "mismatch", "untold",
		"unreported", "overdue", "dropped", "kept", NULL };
	const struct logline_text *why = v->why ? v->why : v->reason ? v->reason : v->reply;
	struct tally_entry *e;

	if (is_hop && v->to) {
		e = tally_find(&d->hops, v->to->p, v->to->n);
		if (!e)
			return -1;
		e->sum[HOP_FAILED]++;
	}
	if (logline_is(&l->event, "refused"))
		return count(&d->stages, &l->stage, " ", why, NULL) ? 0 : -1;
	if (kind_is_one_of(&l->event, troubles))
		return count(&d->troubles, &l->stage, " ", &l->event, v->reason ? v->reason : v->why) ? 0 : -1;
	return 0;
}

static int
add_time(struct day *d, const struct logline *l)
{
	int64_t ms = logline_is(&l->event, "done") ? logline_number(l, "ms") : -1;
	struct tally_entry *e = ms < 0 ? NULL : count(&d->work, &l->stage, "", NULL, NULL);

	return ms < 0 ? 0 : e ? tally_time(e, ms) : -1;
}

static void
add_span(struct day *d, const struct logline *l)
{
	d->lines++;
	d->cut += l->cut;
	if (l->us < 0)
		return;
	if (d->first_us < 0 || l->us < d->first_us)
		d->first_us = l->us;
	if (l->us > d->last_us)
		d->last_us = l->us;
	d->guessed |= l->guessed;
}

int
day_add(struct day *d, const struct logline *l)
{
	const struct logline_text none = { "none", 4 };
	enum kind kind = kind_of(l);
	struct values v;
	int64_t lines;

	add_span(d, l);
	find_values(&v, l);
	switch (kind) {
	case KIND_SUPPRESSED:
		lines = logline_number(l, "lines");
		d->suppressed += lines > 0 ? (uint64_t)lines : 0;
		return 0;
	case KIND_REJECTED:
		return count(&d->commands, v.code, " ", v.verb, v.reason) ? 0 : -1;
	case KIND_PENALTY:
		return count(&d->penalties, v.reason, " ", v.net ? v.net : v.ip, NULL) ? 0 : -1;
	case KIND_SESSION:
		return count(&d->tls, v.tls ? v.tls : &none, " ", v.cipher, NULL) ? 0 : -1;
	case KIND_HANDSHAKE:
		return count(&d->shakes, v.reason, "", NULL, NULL) ? 0 : -1;
	case KIND_MESSAGE:
		return add_message(d, l, &v);
	case KIND_LOGIN:
		return add_login(d, l, &v);
	case KIND_RECIPIENT:
		return count(&d->fates, &l->stage, " ", &l->event, NULL) ? 0 : -1;
	case KIND_DELIVERY:
		return add_time(d, l) < 0 ? -1 : add_delivery(d, l, &v);
	case KIND_FAILURE:
	case KIND_OTHER:
		break;
	}
	return add_time(d, l) < 0 ? -1 : add_trouble(d, l, &v, kind == KIND_FAILURE);
}
