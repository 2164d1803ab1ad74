/* ISC licence, see LICENSE. */
#include "ask/policy.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
	NAME_MAX_OCTETS = 40, /* of an action that is known; longer ones are not */
	HASH_PREFIX = 7,      /* "SHA256:" */
};

/* The request */

/* Append "name=value". What would be another line, or no text, becomes "?". */
static int
add(struct buf *out, const char *name, const char *value, size_t n)
{
	size_t at = out->len + strlen(name) + 1, i;

	if (buf_printf(out, "%s=%.*s\n", name, (int)n, value) < 0)
		return -1;
	for (i = 0; i < n && at + i + 1 < out->len; i++)
		if (iscntrl((unsigned char)out->p[at + i]))
			out->p[at + i] = '?';
	return 0;
}

static int
add_text(struct buf *out, const char *name, const char *value)
{
	return add(out, name, value ? value : "", value ? strlen(value) : 0);
}

static int
add_number(struct buf *out, const char *name, long long n)
{
	return buf_printf(out, "%s=%lld\n", name, n);
}

/* The fingerprint as Postfix writes it: upper case, a colon between octets. */
static int
add_fingerprint(struct buf *out, const char *hash)
{
	char text[3 * 64 + 1] = "";
	size_t i, n = 0;

	if (hash && strncasecmp(hash, "SHA256:", HASH_PREFIX) == 0)
		for (i = HASH_PREFIX; isxdigit((unsigned char)hash[i]) && n + 2 < sizeof text; i++) {
			if (i > HASH_PREFIX && (i - HASH_PREFIX) % 2 == 0)
				text[n++] = ':';
			text[n++] = (char)toupper((unsigned char)hash[i]);
		}
	return add(out, "ccert_fingerprint", text, n);
}

/* The common name, which is what Postfix calls the subject; subject is "/C=XX/CN=alice". */
static int
add_subject(struct buf *out, const char *subject)
{
	const char *p = subject, *name = "";

	while (p && (p = strstr(p, "/CN=")))
		name = p += strlen("/CN=");
	return add(out, "ccert_subject", name, strcspn(name, "/"));
}

/* Returns the protocol as Postfix calls it, by the client's greeting. */
static const char *
protocol(const char *verb)
{
	return verb && strcmp(verb, "HELO") == 0 ? "SMTP" : verb && strcmp(verb, "LHLO") == 0 ? "LMTP" : "ESMTP";
}

/* Returns the only recipient that is left, or NULL. *n: how many there are. */
static const struct envelope_line *
count(const struct envelope *e, long long *n)
{
	const struct envelope_line *only = NULL;
	size_t i;

	*n = 0;
	for (i = 0; i < e->nrcpt; i++)
		if (e->rcpt[i].kind == ENVELOPE_RCPT) {
			only = &e->rcpt[i];
			++*n;
		}
	return *n == 1 ? only : NULL;
}

int
policy_request(struct buf *out, const struct policy_question *q)
{
	const struct facts *f = q->facts;
	const struct envelope_line *mail = &q->envelope->mail, *rcpt;
	const char *name = facts_get(f, "TCPREMOTEHOST"), *id = facts_get(f, "MSA_MESSAGE");
	long long n;

	rcpt = count(q->envelope, &n);
	if (q->rcpt) { /* before the data Postfix knows neither the number nor an id of the queue */
		rcpt = q->rcpt;
		n = 0;
	}
	if (!name || !*name)
		name = "unknown";
	return add_text(out, "request", "smtpd_access_policy") < 0 ||
	    add_text(out, "protocol_state", q->state) < 0 ||
	    add_text(out, "protocol_name", protocol(facts_get(f, "MSA_VERB"))) < 0 ||
	    add_text(out, "client_address", facts_get(f, "TCPREMOTEIP")) < 0 ||
	    add_text(out, "client_name", name) < 0 ||
	    add_text(out, "client_port", facts_get(f, "TCPREMOTEPORT")) < 0 ||
	    add_text(out, "reverse_client_name", name) < 0 ||
	    add_text(out, "server_address", facts_get(f, "TCPLOCALIP")) < 0 ||
	    add_text(out, "server_port", facts_get(f, "TCPLOCALPORT")) < 0 ||
	    add_text(out, "helo_name", facts_get(f, "MSA_HELO")) < 0 ||
	    add(out, "sender", mail->path, mail->path_len) < 0 ||
	    add(out, "recipient", rcpt ? rcpt->path : "", rcpt ? rcpt->path_len : 0) < 0 ||
	    add_number(out, "recipient_count", n) < 0 ||
	    add_text(out, "queue_id", q->rcpt ? "" : id) < 0 ||
	    add_text(out, "instance", id) < 0 ||
	    add_number(out, "size", q->size) < 0 ||
	    add_text(out, "etrn_domain", "") < 0 ||
	    add_text(out, "stress", "") < 0 ||
	    add_text(out, "sasl_method", facts_get(f, "SMTPAUTHMETHOD")) < 0 ||
	    add_text(out, "sasl_username", facts_get(f, "SMTPAUTHUSER")) < 0 ||
	    add_text(out, "sasl_sender", "") < 0 ||
	    add_subject(out, facts_get(f, "SSL_PEER_CERT_SUBJECT")) < 0 ||
	    add_text(out, "ccert_issuer", "") < 0 ||
	    add_fingerprint(out, facts_get(f, "SSL_PEER_CERT_HASH")) < 0 ||
	    add_text(out, "ccert_pubkey_fingerprint", "") < 0 ||
	    add_text(out, "encryption_protocol", facts_get(f, "SSL_PROTOCOL")) < 0 ||
	    add_text(out, "encryption_cipher", facts_get(f, "SSL_CIPHER")) < 0 ||
	    add_number(out, "encryption_keysize", facts_number(f, "SSL_CIPHER_USEKEYSIZE", 0)) < 0 ||
	    add_text(out, "policy_context", q->context) < 0 || buf_puts(out, "\n") < 0 ? -1 : 0;
}

/* The answer */

ssize_t
policy_whole(const char *p, size_t n)
{
	const char *line = p, *end, *lf;
	int lines = 0;

	if (n == 0) /* p may be NULL */
		return 0;
	end = p + n;
	if (memchr(p, '\0', n > POLICY_ANSWER_MAX ? POLICY_ANSWER_MAX : n))
		return -1;
	while ((lf = memchr(line, '\n', (size_t)(end - line)))) {
		if (lf == line)
			return lf + 1 - p;
		if (lf - line > POLICY_LINE_MAX || ++lines > POLICY_LINES_MAX)
			return -1;
		line = lf + 1;
	}
	return end - line > POLICY_LINE_MAX || n >= POLICY_ANSWER_MAX ? -1 : 0;
}

static const char refused[] = "Refused by site policy";
static const char deferred[] = "Refused by site policy for now, try again later";

/* A name of an action, and what it means. */
static const struct known {
	const char *name;
	enum policy_result result;
	int code;             /* of the reply; 0: none */
	const char *enhanced;
	const char *text;     /* for an action without a text of its own */
} known[] = {
	{ "OK", POLICY_PASS, 0, "", "" },
	{ "PERMIT", POLICY_PASS, 0, "", "" },
	{ "DUNNO", POLICY_PASS, 0, "", "" },
	{ "WARN", POLICY_PASS, 0, "", "" },
	{ "INFO", POLICY_PASS, 0, "", "" },
	{ "REJECT", POLICY_REFUSE, 554, "5.7.1", refused },
	{ "DEFER", POLICY_REFUSE, 450, "4.7.1", deferred },
	/* whether later stages would pass the message is not known before it is delivered */
	{ "DEFER_IF_PERMIT", POLICY_REFUSE, 450, "4.7.0", deferred },
	{ "DEFER_IF_REJECT", POLICY_SOFTEN, 450, "4.7.0", deferred },
	{ "PREPEND", POLICY_PREPEND, 0, "", "" },
};

/* Set a->reply. Returns result, or POLICY_GARBAGE with errno set. */
static enum policy_result
reply(struct policy_answer *a, enum policy_result result, int code, const char *enhanced, const char *text, size_t n)
{
	if (reply_take(&a->reply, code, text, n) < 0)
		return POLICY_GARBAGE;
	if (!*a->reply.enhanced)
		snprintf(a->reply.enhanced, sizeof a->reply.enhanced, "%s", enhanced);
	return result;
}

static enum policy_result
garbage(struct policy_answer *a, const char *why)
{
	a->why = why;
	return POLICY_GARBAGE;
}

/* Take the header field of PREPEND: a name, a colon and a text in ASCII, as one line. */
static enum policy_result
prepend(struct policy_answer *a, const char *text, size_t n)
{
	size_t i, name = 0;

	while (name < n && text[name] > ' ' && text[name] <= '~' && text[name] != ':')
		name++;
	if (name == 0 || name == n || text[name] != ':')
		return garbage(a, "PREPEND without a header field");
	if (n > POLICY_FIELD_MAX)
		return garbage(a, "PREPEND with a header field that is too long");
	for (i = name; i < n; i++)
		if ((text[i] < ' ' && text[i] != '\t') || text[i] > '~')
			return garbage(a, "PREPEND with a header field that is not ASCII");
	return buf_add(&a->text, text, n) < 0 ? POLICY_GARBAGE : POLICY_PREPEND;
}

/* Take the value of "action". */
static enum policy_result
take(struct policy_answer *a, const char *value, size_t n)
{
	const char *text;
	char name[NAME_MAX_OCTETS];
	size_t len = 0, i;

	for (i = 0; i < n && i < POLICY_SHOWN; i++)
		a->action[i] = (char)(value[i] < ' ' || value[i] > '~' ? '?' : value[i]);
	while (len < n && value[len] != ' ' && value[len] != '\t')
		len++;
	if (len == 0)
		return garbage(a, "empty action");
	for (text = value + len; text < value + n && (*text == ' ' || *text == '\t'); text++)
		;
	n -= (size_t)(text - value);
	snprintf(name, sizeof name, "%.*s", (int)len, value);
	if (len == 3 && strchr("45", *name) && isdigit((unsigned char)name[1]) && isdigit((unsigned char)name[2])) {
		const char *no = *name == '4' ? deferred : refused;

		return reply(a, POLICY_REFUSE, (*name - '0') * 100 + (name[1] - '0') * 10 + name[2] - '0',
		    *name == '4' ? "4.7.1" : "5.7.1", n > 0 ? text : no, n > 0 ? n : strlen(no));
	}
	for (i = 0; i < sizeof known / sizeof *known && (strcasecmp(known[i].name, name) != 0 || len >= sizeof name); i++)
		;
	if (i == sizeof known / sizeof *known)
		return POLICY_UNSUPPORTED;
	if (known[i].result == POLICY_PREPEND)
		return prepend(a, text, n);
	if (known[i].code == 0)
		return known[i].result;
	return reply(a, known[i].result, known[i].code, known[i].enhanced, n > 0 ? text : known[i].text,
	    n > 0 ? n : strlen(known[i].text));
}

enum policy_result
policy_parse(struct policy_answer *a, const char *p, size_t n)
{
	static const char name[] = "action=";
	const char *end = p + n, *value = NULL, *lf;
	size_t len = 0;

	for (; (lf = memchr(p, '\n', (size_t)(end - p))) && lf > p; p = lf + 1) {
		if (!memchr(p, '=', (size_t)(lf - p)))
			return garbage(a, "a line without =");
		if ((size_t)(lf - p) < strlen(name) || memcmp(p, name, strlen(name)) != 0)
			continue;
		if (value)
			return garbage(a, "two actions");
		value = p + strlen(name);
		len = (size_t)(lf - value);
	}
	if (!value)
		return garbage(a, "no action");
	while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
		len--;
	return take(a, value, len);
}

void
policy_free(struct policy_answer *a)
{
	reply_foreign_free(&a->reply);
	buf_free(&a->text);
	*a = (struct policy_answer){ .why = NULL };
}
