/* ISC licence, see LICENSE. */
#include "chain/envelope.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "chain/limits.h"
#include "smtp/addr.h"
#include "smtp/param.h"
#include "smtp/reply.h"

/* Parse "PREFIX<path> KEY=value ..." into l. The path must be canonical. Returns 0, or -1: invalid. */
static int
path_line(struct envelope_line *l, const char *text, const char *prefix)
{
	size_t skip = strlen(prefix), len = strlen(text), used, keylen, valuelen;
	const char *p, *end = text + len, *key, *value;
	struct addr a;
	int r;

	if (strncmp(text, prefix, skip) != 0 || addr_path(text + skip, len - skip, &a, &used) < 0)
		return -1;
	if (used != a.len + 2 || memcmp(text + skip + 1, a.text, a.len) != 0)
		return -1;
	p = text + skip + used;
	if (p < end && *p++ != ' ')
		return -1;
	if (text[len - 1] == ' ' || strstr(p, "  ")) /* canonical: single spaces; a value has none */
		return -1;
	*l = (struct envelope_line){ .text = text, .path = text + skip + 1, .path_len = a.len, .params = p };
	while ((r = param_next(&p, end, &key, &keylen, &value, &valuelen)) > 0)
		;
	return r;
}

static int
rcpt_line(struct envelope_line *l, const char *text)
{
	const char *rest;
	size_t restlen;
	int code;
	bool last;

	if (path_line(l, text, "RCPT TO:") == 0 && l->path_len > 0) {
		l->kind = ENVELOPE_RCPT;
		return 0;
	}
	if (path_line(l, text, "COPY TO:") == 0 && l->path_len > 0) {
		l->kind = ENVELOPE_COPY;
		return 0;
	}
	if (reply_line(text, strlen(text), &code, &last, &rest, &restlen) && last && code >= 400) {
		*l = (struct envelope_line){ .kind = ENVELOPE_REPLY, .text = text };
		return 0;
	}
	return -1;
}

int
envelope_parse(struct envelope *e, struct buf *text, const char **why)
{
	struct envelope_line *grown;
	size_t lines = 0, n = 0;
	char *p, *lf;

	e->text = *text;
	*text = (struct buf){ 0 };
	*why = "envelope: not lines ended by LF, or a NUL";
	if (e->text.len == 0 || e->text.p[e->text.len - 1] != '\n' || memchr(e->text.p, '\0', e->text.len))
		goto invalid;
	for (p = e->text.p; (lf = strchr(p, '\n')); p = lf + 1) {
		*lf = '\0';
		lines++;
	}
	*why = "envelope: first line is no MAIL FROM:<path>";
	if (path_line(&e->mail, e->text.p, "MAIL FROM:") < 0)
		goto invalid;
	*why = "envelope: out of memory";
	grown = calloc(lines, sizeof *grown);
	if (!grown) {
		envelope_free(e);
		errno = ENOMEM;
		return -1;
	}
	e->rcpt = grown;
	for (p = e->text.p + strlen(e->text.p) + 1; n < lines - 1; p += strlen(p) + 1, n++) {
		*why = "envelope: a line that is no RCPT TO:<path>, reply or COPY TO:<path>";
		if (rcpt_line(&e->rcpt[n], p) < 0)
			goto invalid;
		*why = "envelope: a recipient behind a COPY line";
		if (e->rcpt[n].kind == ENVELOPE_COPY)
			e->ncopy++;
		else if (e->ncopy > 0)
			goto invalid;
		else
			e->nrcpt++;
	}
	*why = NULL;
	return 0;
invalid:
	envelope_free(e);
	errno = EINVAL;
	return -1;
}

int
envelope_read(struct envelope *e, int fd, const char **why)
{
	struct buf text = { 0 };

	*why = "envelope: cannot be read";
	if (file_slurp(fd, CHAIN_ENVELOPE_MAX, &text) < 0) {
		buf_free(&text);
		return -1;
	}
	return envelope_parse(e, &text, why);
}

void
envelope_free(struct envelope *e)
{
	buf_free(&e->text);
	free(e->rcpt);
	*e = (struct envelope){ 0 };
}

int
envelope_param(const struct envelope_line *line, const char *keyword, const char **value, size_t *len)
{
	const char *s = line->params, *end, *key;
	size_t keylen;

	if (!s)
		return 0;
	end = s + strlen(s);
	while (param_next(&s, end, &key, &keylen, value, len) > 0)
		if (strlen(keyword) == keylen && strncasecmp(keyword, key, keylen) == 0)
			return 1;
	return 0;
}
