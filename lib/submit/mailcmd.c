/* ISC licence, see LICENSE. */
#include "submit/mailcmd.h"

#include <string.h>
#include <strings.h>

#include "chain/dsn.h"
#include "chain/envelope.h"
#include "chain/limits.h"
#include "msa/msgfile.h"
#include "smtp/param.h"

/*
 * Skip word, "FROM:" or "TO:", and the spaces that many clients write after it. Returns the rest with *len set, or
 * NULL: arg does not begin with word.
 */
static const char *
skip(const char *arg, size_t *len, const char *word)
{
	size_t n = strlen(word);

	if (*len < n || strncasecmp(arg, word, n) != 0)
		return NULL;
	arg += n;
	*len -= n;
	while (*len > 0 && *arg == ' ') {
		arg++;
		(*len)--;
	}
	return arg;
}

/*
 * Returns true if the next hop gets p. SIZE, AUTH and PRDR end here, chain(7). SOLICIT ends here if the next hop does
 * not offer it: it asks only for refusal by class, which was done (RFC 3865 2.7), and the message's header has it too.
 */
static bool
is_passed_on(const struct ehlo *offered, enum param p)
{
	return p != PARAM_SIZE && p != PARAM_AUTH && p != PARAM_PRDR &&
	    (p != PARAM_SOLICIT || offered->pass_solicit);
}

/* Take a parameter that concerns us. Returns REPLY_OK, also for those that concern the next hop only, or a refusal. */
static enum reply
take(struct mailcmd *t, const struct ehlo *offered, enum param p, const char *value, size_t len)
{
	long long size = 0;
	size_t i;

	switch (p) {
	case PARAM_SIZE:
		for (i = 0; i < len && size < INT64_MAX / 100; i++)
			size = size * 10 + (value[i] - '0');
		if (offered->size > 0 && size > offered->size)
			return REPLY_TOO_BIG;
		return REPLY_OK;
	case PARAM_BODY:
		t->body = strncasecmp(value, "7BIT", len) == 0 ? BODY_7BIT :
		    strncasecmp(value, "8BITMIME", len) == 0     ? BODY_8BITMIME :
		                                                   BODY_BINARYMIME;
		if (t->body == BODY_BINARYMIME && !(offered->caps & CAP_BINARYMIME))
			return REPLY_BAD_PARAMETER;
		return REPLY_OK;
	case PARAM_SMTPUTF8:
		t->smtputf8 = true;
		return REPLY_OK;
	case PARAM_PRDR:
		t->prdr = true;
		return REPLY_OK;
	case PARAM_SOLICIT:
		return ehlo_is_refused(offered, value, len) ? REPLY_SOLICITING : REPLY_OK;
	default:
		return REPLY_OK;
	}
}

/* Append " KEY=VALUE" in canonical form: the keyword in upper case, and the value too if its case has no meaning. */
static int
append(struct buf *out, enum param p, const char *value, size_t len)
{
	size_t at;

	if (buf_printf(out, " %s", param_keyword(p)) < 0)
		return -1;
	if (!value)
		return 0;
	if (buf_puts(out, "=") < 0)
		return -1;
	at = out->len;
	if (buf_add(out, value, len) < 0)
		return -1;
	if (p == PARAM_BODY || p == PARAM_RET || p == PARAM_NOTIFY || p == PARAM_BY)
		for (; at < out->len; at++)
			if (out->p[at] >= 'a' && out->p[at] <= 'z')
				out->p[at] = (char)(out->p[at] - 32);
	return 0;
}

/* Take all parameters of a MAIL or RCPT, and append them to line. Returns REPLY_OK, or a refusal. */
static enum reply
params(struct mailcmd *t, const struct ehlo *offered, enum param_of of, const char *s, const char *end,
    struct buf *line, const char **detail, size_t *detail_len)
{
	const char *value;
	size_t len;
	uint32_t seen = 0;
	enum reply r;
	enum param p;
	int more;

	while ((more = param_next(&s, end, detail, detail_len, &value, &len)) > 0) {
		p = param_find(*detail, *detail_len, of);
		if (p == PARAM_UNKNOWN || !(param_cap(p) & offered->caps))
			return REPLY_UNKNOWN_PARAMETER;
		if (seen & UINT32_C(1) << p || param_check(p, value, len) < 0)
			return REPLY_BAD_PARAMETER;
		seen |= UINT32_C(1) << p;
		if (p == PARAM_HOLDFOR || p == PARAM_HOLDUNTIL) /* RFC 4865 4: not both */
			seen |= UINT32_C(1) << PARAM_HOLDFOR | UINT32_C(1) << PARAM_HOLDUNTIL;
		r = take(t, offered, p, value, len);
		if (r != REPLY_OK)
			return r;
		if (is_passed_on(offered, p) && append(line, p, value, len) < 0)
			return REPLY_NO_MEMORY;
	}
	*detail = NULL;
	return more < 0 ? REPLY_BAD_ARGUMENT : REPLY_OK;
}

/* Judge an address of valid syntax. Returns REPLY_OK, or a refusal. */
static enum reply
judge(const struct mailcmd *t, struct fqdn *domains, const struct addr *a, bool mail)
{
	int r;

	if (a->len == 0)
		return mail ? REPLY_OK : REPLY_BAD_RCPT;
	if (!a->has_domain)
		return mail ? REPLY_BAD_SENDER : addr_is_postmaster(a) ? REPLY_OK : REPLY_BAD_RCPT;
	if (a->is_utf8 && !t->smtputf8)
		return REPLY_NON_ASCII;
	r = fqdn_is_qualified(domains, a);
	if (r < 0)
		return REPLY_LOCAL_ERROR;
	return r ? REPLY_OK : mail ? REPLY_SENDER_UNQUALIFIED : REPLY_RCPT_UNQUALIFIED;
}

/*
 * Parse an argument's path and parameters, and append the canonical line to t's envelope. Returns REPLY_OK, or a
 * refusal.
 */
static enum reply
command(struct mailcmd *t, const struct mailcmd_rules *rules, enum param_of of, const char *arg, size_t len,
    struct addr *a, const char **detail, size_t *detail_len)
{
	bool mail = of == PARAM_OF_MAIL;
	struct buf line = { 0 };
	enum reply r;
	size_t used;
	const char *s, *end;

	*detail = NULL;
	s = skip(arg, &len, mail ? "FROM:" : "TO:");
	if (!s)
		return REPLY_BAD_ARGUMENT;
	if (addr_path(s, len, a, &used) < 0 || (used < len && s[used] != ' '))
		return mail ? REPLY_BAD_SENDER : REPLY_BAD_RCPT;
	end = s + len;
	for (s += used; s < end && *s == ' '; s++)
		;
	if (buf_printf(&line, "%s:<%s>", mail ? "MAIL FROM" : "RCPT TO", a->text) < 0)
		return REPLY_NO_MEMORY;
	r = params(t, &rules->offered, of, s, end, &line, detail, detail_len);
	if (r == REPLY_OK)
		r = judge(t, rules->domains, a, mail);
	if (r == REPLY_OK && (buf_puts(&line, "\n") < 0 || buf_add(&t->envelope, line.p, line.len) < 0))
		r = REPLY_NO_MEMORY;
	buf_free(&line);
	return r;
}

enum reply
mailcmd_mail(struct mailcmd *t, const struct mailcmd_rules *rules, const char *arg, size_t len,
    const char **detail, size_t *detail_len)
{
	enum reply r = command(t, rules, PARAM_OF_MAIL, arg, len, &t->from, detail, detail_len);

	if (r != REPLY_OK)
		return r;
	t->open = true;
	return REPLY_SENDER_OK;
}

/*
 * Returns true if a line of the envelope before offset at is like the one there, whatever its letters' case: mailboxes
 * that differ in case alone are one wherever mail is delivered today, and two copies are a nuisance.
 */
static bool
is_there(const struct buf *envelope, size_t at)
{
	const char *line = envelope->p, *last = envelope->p + at, *lf;
	size_t len = envelope->len - at;

	for (; line < last; line = lf + 1) {
		lf = memchr(line, '\n', (size_t)(last - line));
		if ((size_t)(lf + 1 - line) == len && strncasecmp(line, last, len) == 0)
			return true;
	}
	return false;
}

enum reply
mailcmd_rcpt(struct mailcmd *t, const struct mailcmd_rules *rules, const char *arg, size_t len,
    const char **detail, size_t *detail_len)
{
	size_t was = t->envelope.len;
	struct addr a;
	enum reply r;

	*detail = NULL;
	t->again = false;
	if (t->nrcpt >= CHAIN_RCPT_MAX)
		return REPLY_TOO_MANY_RCPTS;
	r = command(t, rules, PARAM_OF_RCPT, arg, len, &a, detail, detail_len);
	if (r != REPLY_OK)
		return r;
	t->again = !rules->each && !t->prdr && is_there(&t->envelope, was);
	if (t->again) {
		t->envelope.len = was;
		return REPLY_RCPT_OK;
	}
	t->nrcpt++;
	t->last = was;
	return REPLY_RCPT_OK;
}

int
mailcmd_last(const struct mailcmd *t, struct buf *out)
{
	const char *mail_end = memchr(t->envelope.p, '\n', t->envelope.len), *why;
	struct envelope e = { 0 };
	struct buf lines = { 0 };
	int r = -1;

	if (buf_add(&lines, t->envelope.p, (size_t)(mail_end + 1 - t->envelope.p)) == 0 &&
	    buf_add(&lines, t->envelope.p + t->last, t->envelope.len - t->last) == 0 &&
	    envelope_parse(&e, &lines, &why) == 0)
		r = dsn_strip(out, &e);
	envelope_free(&e);
	buf_free(&lines);
	return r;
}

void
mailcmd_drop(struct mailcmd *t)
{
	if (t->again)
		return;
	t->envelope.len = t->last;
	t->nrcpt--;
}

int
mailcmd_envelope(const struct mailcmd *t)
{
	return msgfile_of(t->envelope.p, t->envelope.len);
}

void
mailcmd_reset(struct mailcmd *t)
{
	buf_free(&t->envelope);
	*t = (struct mailcmd){ 0 };
}
