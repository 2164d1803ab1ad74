/* ISC licence, see LICENSE. */
#include "parts.h"

#include <stdlib.h>
#include <string.h>

#include "msa/msgfile.h"
#include "smtp/param.h"

static int
add_line(struct part *p, size_t i)
{
	size_t *grown = realloc(p->line, (p->n + 1) * sizeof *grown);

	if (!grown)
		return -1;
	p->line = grown;
	p->line[p->n++] = i;
	return 0;
}

/* Returns a new part; there is room for one of each line. */
static struct part *
add_part(struct parts *p, bool is_sealed, bool only_copies)
{
	struct part *part = &p->v[p->n++];

	*part = (struct part){ .is_sealed = is_sealed, .only_copies = only_copies, .message = -1, .envelope = -1 };
	return part;
}

int
parts_open(struct parts *p, const struct recipients *r, const struct envelope *e)
{
	struct part *named = NULL, *clear = NULL;
	size_t i;

	p->v = calloc(r->n + 1, sizeof *p->v);
	if (!p->v)
		return -1;
	for (i = 0; i < r->n; i++) {
		bool is_copy = i >= r->nrcpt, is_sealed = r->fate[i] == FATE_SEALED;
		struct part **shared = !is_sealed ? &clear : r->is_named[i] && !is_copy ? &named : NULL, *part;

		if (!is_sealed && r->fate[i] != FATE_CLEAR)
			continue;
		part = shared ? *shared : NULL;
		if (!part)
			part = add_part(p, is_sealed, is_copy);
		if (shared)
			*shared = part;
		if ((is_copy && !part->only_copies ? buf_printf(&part->copies, "%s\n", e->rcpt[i].text) : add_line(part, i)) < 0)
			return -1;
	}
	return 0;
}

int
parts_fingerprints(const struct part *p, const struct recipients *r, struct buf *out)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		if (buf_printf(out, "%s\n", r->key[p->line[i]].fingerprint) < 0)
			return -1;
	return 0;
}

/* Add the line of MAIL. An encrypted body is ASCII, so what BODY asked for is fulfilled. */
static int
add_mail(struct buf *b, const struct envelope *e, bool is_sealed, bool keeps_8bit)
{
	const char *s = e->mail.params, *end = s + strlen(s), *key, *value;
	size_t keylen, valuelen;

	if (!is_sealed)
		return buf_printf(b, "%s\n", e->mail.text);
	if (buf_printf(b, "MAIL FROM:<%.*s>", (int)e->mail.path_len, e->mail.path) < 0)
		return -1;
	while (param_next(&s, end, &key, &keylen, &value, &valuelen) > 0) {
		const char *text_end = value ? value + valuelen : key + keylen;
		bool is_body = param_find(key, keylen, PARAM_OF_MAIL) == PARAM_BODY;

		if ((is_body ? keeps_8bit ? buf_puts(b, " BODY=8BITMIME") : 0 :
		    buf_printf(b, " %.*s", (int)(text_end - key), key)) < 0)
			return -1;
	}
	return buf_puts(b, "\n");
}

/* Add a line for each recipient of the envelope. */
static int
add_all(struct buf *b, const struct recipients *r, const struct envelope *e)
{
	size_t i;

	for (i = 0; i < r->nrcpt; i++)
		if ((r->fate[i] == FATE_REFUSED ? buf_printf(b, "%d %s %s\n", reply_code(REPLY_NO_KEY),
		    reply_enhanced(REPLY_NO_KEY), recipients_why(r, i)) : buf_printf(b, "%s\n", e->rcpt[i].text)) < 0)
			return -1;
	return 0;
}

static int
add_own(struct buf *b, const struct part *p, const struct envelope *e)
{
	size_t i;

	for (i = 0; i < p->n; i++) {
		const char *line = e->rcpt[p->line[i]].text;

		if ((p->only_copies ? buf_printf(b, "RCPT%s\n", line + strlen("COPY")) : buf_printf(b, "%s\n", line)) < 0)
			return -1;
	}
	return 0;
}

int
parts_envelope(const struct part *p, const struct recipients *r, const struct envelope *e, bool is_whole,
    bool keeps_8bit)
{
	struct buf b = { 0 };
	int fd = -1;

	if (add_mail(&b, e, p->is_sealed, keeps_8bit) == 0 && (is_whole ? add_all(&b, r, e) : add_own(&b, p, e)) == 0 &&
	    buf_add(&b, p->copies.p, p->copies.len) == 0)
		fd = msgfile_of(b.p, b.len);
	buf_free(&b);
	return fd;
}

void
parts_free(struct parts *p)
{
	size_t i;

	for (i = 0; i < p->n; i++) {
		free(p->v[i].line);
		buf_free(&p->v[i].copies);
	}
	free(p->v);
}
