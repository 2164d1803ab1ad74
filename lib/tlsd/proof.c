/* ISC licence, see LICENSE. */
#include "tlsd/proof.h"

#include <string.h>

#include "smtp/verb.h"

static void
command(struct proof *p, const char *s, size_t n)
{
	enum verb v = verb_of_start(s, n);

	p->chunk |= v == VERB_BDAT;
	if (v == VERB_MAIL && !p->mail) {
		p->mail = true;
		p->before = p->owed;
	}
	p->owed++;
}

static void
reply(struct proof *p, const char *s, size_t n)
{
	bool to_mail = p->mail && p->before == 0;

	if (n < 3 || (n > 3 && s[3] == '-') || memcmp(s, "220", 3) == 0)
		return;
	p->given = memcmp(s, "235", 3) == 0 || (to_mail && !p->chunk && memcmp(s, "250", 3) == 0);
	if (to_mail)
		p->mail = false;
	else if (p->mail)
		p->before--;
	if (p->owed > 0)
		p->owed--;
}

static void
note(struct proof *p, struct proof_head *h, const char *s, size_t n, void (*line)(struct proof *, const char *, size_t))
{
	while (!p->given && n > 0) {
		const char *lf = memchr(s, '\n', n);
		size_t part = lf ? (size_t)(lf - s) : n, room = sizeof h->text - h->len;

		memcpy(h->text + h->len, s, part < room ? part : room);
		h->len += (unsigned char)(part < room ? part : room);
		if (lf) {
			line(p, h->text, h->len);
			*h = (struct proof_head){ 0 }; /* a line of AUTH may be a password */
			part++;
		}
		s += part;
		n -= part;
	}
}

void
proof_up(struct proof *p, const char *s, size_t n)
{
	note(p, &p->up, s, n, command);
}

void
proof_down(struct proof *p, const char *s, size_t n)
{
	note(p, &p->down, s, n, reply);
}
