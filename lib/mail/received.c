/* ISC licence, see LICENSE. */
#include "mail/received.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "chain/limits.h"
#include "chain/offer.h"
#include "net/ipaddr.h"
#include "smtp/addr.h"
#include "smtp/param.h"

enum {
	TAB = 8,
	ID_CLAUSE_MAX = 64,     /* octets of an id that is not ours; ours have 14 */
};

/* IANA's TLS Cipher Suites registry, by OpenSSL's names: the suites that TLS 1.2 and 1.3 servers still accept. */
static const struct {
	const char *openssl, *iana;
} ciphers[] = {
	{ "TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256" },
	{ "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384" },
	{ "TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256" },
	{ "TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_SHA256" },
	{ "TLS_AES_128_CCM_8_SHA256", "TLS_AES_128_CCM_8_SHA256" },
	{ "ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" },
	{ "ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" },
	{ "ECDHE-ECDSA-CHACHA20-POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256" },
	{ "ECDHE-ECDSA-AES128-CCM", "TLS_ECDHE_ECDSA_WITH_AES_128_CCM" },
	{ "ECDHE-ECDSA-AES256-CCM", "TLS_ECDHE_ECDSA_WITH_AES_256_CCM" },
	{ "ECDHE-ECDSA-AES128-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256" },
	{ "ECDHE-ECDSA-AES256-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384" },
	{ "ECDHE-ECDSA-AES128-SHA", "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA" },
	{ "ECDHE-ECDSA-AES256-SHA", "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA" },
	{ "ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" },
	{ "ECDHE-RSA-AES256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384" },
	{ "ECDHE-RSA-CHACHA20-POLY1305", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256" },
	{ "ECDHE-RSA-AES128-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256" },
	{ "ECDHE-RSA-AES256-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384" },
	{ "ECDHE-RSA-AES128-SHA", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA" },
	{ "ECDHE-RSA-AES256-SHA", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA" },
	{ "DHE-RSA-AES128-GCM-SHA256", "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256" },
	{ "DHE-RSA-AES256-GCM-SHA384", "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384" },
	{ "DHE-RSA-CHACHA20-POLY1305", "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256" },
	{ "DHE-RSA-AES128-SHA256", "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256" },
	{ "DHE-RSA-AES256-SHA256", "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256" },
	{ "DHE-RSA-AES128-SHA", "TLS_DHE_RSA_WITH_AES_128_CBC_SHA" },
	{ "DHE-RSA-AES256-SHA", "TLS_DHE_RSA_WITH_AES_256_CBC_SHA" },
	{ "AES128-GCM-SHA256", "TLS_RSA_WITH_AES_128_GCM_SHA256" },
	{ "AES256-GCM-SHA384", "TLS_RSA_WITH_AES_256_GCM_SHA384" },
	{ "AES128-SHA256", "TLS_RSA_WITH_AES_128_CBC_SHA256" },
	{ "AES256-SHA256", "TLS_RSA_WITH_AES_256_CBC_SHA256" },
	{ "AES128-SHA", "TLS_RSA_WITH_AES_128_CBC_SHA" },
	{ "AES256-SHA", "TLS_RSA_WITH_AES_256_CBC_SHA" },
	{ "ECDHE-ECDSA-AES256-CCM8", "TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8" },
	{ "DHE-RSA-AES256-CCM8", "TLS_DHE_RSA_WITH_AES_256_CCM_8" },
	{ "DHE-RSA-AES256-CCM", "TLS_DHE_RSA_WITH_AES_256_CCM" },
	{ "ECDHE-ECDSA-ARIA256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_ARIA_256_GCM_SHA384" },
	{ "ECDHE-ARIA256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_ARIA_256_GCM_SHA384" },
	{ "DHE-RSA-ARIA256-GCM-SHA384", "TLS_DHE_RSA_WITH_ARIA_256_GCM_SHA384" },
	{ "ECDHE-ECDSA-AES128-CCM8", "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8" },
	{ "DHE-RSA-AES128-CCM8", "TLS_DHE_RSA_WITH_AES_128_CCM_8" },
	{ "DHE-RSA-AES128-CCM", "TLS_DHE_RSA_WITH_AES_128_CCM" },
	{ "ECDHE-ECDSA-ARIA128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_ARIA_128_GCM_SHA256" },
	{ "ECDHE-ARIA128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_ARIA_128_GCM_SHA256" },
	{ "DHE-RSA-ARIA128-GCM-SHA256", "TLS_DHE_RSA_WITH_ARIA_128_GCM_SHA256" },
	{ "ECDHE-ECDSA-CAMELLIA256-SHA384", "TLS_ECDHE_ECDSA_WITH_CAMELLIA_256_CBC_SHA384" },
	{ "ECDHE-RSA-CAMELLIA256-SHA384", "TLS_ECDHE_RSA_WITH_CAMELLIA_256_CBC_SHA384" },
	{ "DHE-RSA-CAMELLIA256-SHA256", "TLS_DHE_RSA_WITH_CAMELLIA_256_CBC_SHA256" },
	{ "ECDHE-ECDSA-CAMELLIA128-SHA256", "TLS_ECDHE_ECDSA_WITH_CAMELLIA_128_CBC_SHA256" },
	{ "ECDHE-RSA-CAMELLIA128-SHA256", "TLS_ECDHE_RSA_WITH_CAMELLIA_128_CBC_SHA256" },
	{ "DHE-RSA-CAMELLIA128-SHA256", "TLS_DHE_RSA_WITH_CAMELLIA_128_CBC_SHA256" },
	{ "DHE-RSA-CAMELLIA256-SHA", "TLS_DHE_RSA_WITH_CAMELLIA_256_CBC_SHA" },
	{ "DHE-RSA-CAMELLIA128-SHA", "TLS_DHE_RSA_WITH_CAMELLIA_128_CBC_SHA" },
	{ "AES256-CCM8", "TLS_RSA_WITH_AES_256_CCM_8" },
	{ "AES256-CCM", "TLS_RSA_WITH_AES_256_CCM" },
	{ "ARIA256-GCM-SHA384", "TLS_RSA_WITH_ARIA_256_GCM_SHA384" },
	{ "AES128-CCM8", "TLS_RSA_WITH_AES_128_CCM_8" },
	{ "AES128-CCM", "TLS_RSA_WITH_AES_128_CCM" },
	{ "ARIA128-GCM-SHA256", "TLS_RSA_WITH_ARIA_128_GCM_SHA256" },
	{ "CAMELLIA256-SHA256", "TLS_RSA_WITH_CAMELLIA_256_CBC_SHA256" },
	{ "CAMELLIA128-SHA256", "TLS_RSA_WITH_CAMELLIA_128_CBC_SHA256" },
	{ "CAMELLIA256-SHA", "TLS_RSA_WITH_CAMELLIA_256_CBC_SHA" },
	{ "CAMELLIA128-SHA", "TLS_RSA_WITH_CAMELLIA_128_CBC_SHA" },
};

const char *
received_cipher(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof ciphers / sizeof *ciphers; i++)
		if (strcmp(ciphers[i].openssl, name) == 0)
			return ciphers[i].iana;
	return NULL;
}

/* The client announced internationalized mail, RFC 6531 3.4. */
static bool
is_utf8_mail(const struct envelope *e)
{
	const char *value;
	size_t len;

	return e && envelope_param(&e->mail, "SMTPUTF8", &value, &len);
}

const char *
received_keyword(const struct facts *f, const struct envelope *e)
{
	/* Spelt out, so that no unregistered keyword can be composed. The index is 4 for UTF8, 2 for S, 1 for A. */
	static const char *const esmtp[] = { "ESMTP", "ESMTPA", "ESMTPS", "ESMTPSA", "UTF8SMTP", "UTF8SMTPA",
		"UTF8SMTPS", "UTF8SMTPSA" };
	static const char *const lmtp[] = { "LMTP", "LMTPA", "LMTPS", "LMTPSA", "UTF8LMTP", "UTF8LMTPA", "UTF8LMTPS",
		"UTF8LMTPSA" };
	const char *verb = facts_get(f, "MSA_VERB");
	int bits = 4 * is_utf8_mail(e) + 2 * facts_is_tls(f) + facts_is_authenticated(f);

	if (verb ? strcmp(verb, "LHLO") == 0 : facts_is_lmtp(f))
		return lmtp[bits];
	if (verb && strcmp(verb, "EHLO") == 0)
		return esmtp[bits];
	return "SMTP"; /* RFC 3848 1 defines S and A for the extended protocols only */
}

/* A field being folded. */
struct fold {
	struct buf *out;
	const char *eol;
	size_t column;
	bool fresh; /* at the start of a continuation line: no space is needed */
	bool failed;
};

static void
put(struct fold *f, const char *s, size_t n)
{
	if (buf_add(f->out, s, n) < 0)
		f->failed = true;
	f->column += n;
	f->fresh = false;
}

static void
line(struct fold *f)
{
	if (f->fresh)
		return;
	put(f, f->eol, strlen(f->eol));
	put(f, "\t", 1);
	f->column = TAB;
	f->fresh = true;
}

/* n more columns fit on the line, with a space before and ");" after them. */
static bool
fits(const struct fold *f, size_t n)
{
	return f->column + n + 3 <= RECEIVED_COLUMNS;
}

/* Separate a word of n octets from the text before it: by a space, or by a new line if it does not fit. */
static void
gap(struct fold *f, size_t n)
{
	if (!fits(f, n))
		line(f);
	if (!f->fresh)
		put(f, " ", 1);
}

static void
word(struct fold *f, const char *s)
{
	gap(f, strlen(s));
	put(f, s, strlen(s));
}

/* Write a name and its value, on one line if that is possible. */
static void
clause(struct fold *f, const char *name, const char *value)
{
	struct fold next = { .column = TAB };
	size_t n = strlen(name) + 1 + strlen(value);

	if (!fits(f, n) && fits(&next, n))
		line(f);
	word(f, name);
	word(f, value);
}

/*
 * Write text that a peer chose as a comment, at most max octets of it with their escapes. Octets that are not ctext
 * (RFC 5322 3.2.2) are quoted or become "?". Several spaces become one, so that folding never leaves an empty line.
 */
static void
comment(struct fold *f, const char *label, const char *s, size_t max)
{
	char part[2 * CHAIN_TEXT_MAX + 2];
	size_t n;
	char open[32];

	snprintf(open, sizeof open, "(%s", label);
	word(f, open);
	for (;;) {
		n = 0;
		while (*s == ' ')
			s++;
		for (; *s && *s != ' ' && n + 2 < sizeof part; s++) {
			bool quote = *s == '(' || *s == ')' || *s == '\\';

			if (max < (quote ? 2 : 1)) {
				s = "";
				break;
			}
			if (quote)
				part[n++] = '\\';
			part[n++] = *s < ' ' || *s > '~' ? '?' : *s;
			max -= quote ? 2 : 1;
		}
		if (n == 0)
			break;
		gap(f, n);
		put(f, part, n);
		if (max > 0)
			max--; /* the space */
	}
	put(f, ")", 1);
}

static bool
is_ascii(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s > 127)
			return false;
	return true;
}

/* A domain that a trace field may contain: ASCII even with SMTPUTF8, RFC 6531 3.7.1. */
static bool
is_domain(const char *s)
{
	return s && is_ascii(s) && addr_is_domain(s, strlen(s));
}

static bool
is_literal(const char *s)
{
	char box[ADDR_MAILBOX_MAX + 1];
	struct addr a;

	if (!s || *s != '[' || snprintf(box, sizeof box, "x@%s", s) >= (int)sizeof box)
		return false;
	return addr_mailbox(box, strlen(box), &a) == 0;
}

/*
 * The From-domain of RFC 5321 4.4. Its Extended-Domain is a domain, or an address literal with TCP-info after it. If
 * the client sent neither, it is "unknown", and a comment has what the client sent.
 */
static void
from(struct fold *f, const struct facts *facts)
{
	const char *helo = facts_get(facts, "MSA_HELO"), *name = facts_get(facts, "TCPREMOTEHOST");
	const char *peer = facts_get(facts, "TCPREMOTEIP");
	char ip[IPADDR_LITERAL], info[IPADDR_LITERAL + ADDR_DOMAIN_MAX + 4];
	struct ipaddr a;
	bool has_ip = peer && ipaddr_parse_zoned(&a, peer) == 0;
	bool valid = is_domain(helo) || (is_literal(helo) && has_ip);

	if (has_ip)
		ipaddr_literal(&a, ip);
	clause(f, "from", valid ? helo : "unknown");
	if (has_ip && is_domain(name)) {
		snprintf(info, sizeof info, "(%s", name);
		word(f, info);
		snprintf(info, sizeof info, "%s)", ip);
		word(f, info);
	} else if (has_ip) {
		snprintf(info, sizeof info, "(%s)", ip);
		word(f, info);
	}
	if (has_ip && name && *name && !is_domain(name))
		comment(f, "name", name, CHAIN_TEXT_MAX);
	if (helo && *helo && !valid)
		comment(f, "HELO", helo, CHAIN_TEXT_MAX);
}

static void
by(struct fold *f, const struct facts *facts)
{
	char buf[256], info[ADDR_DOMAIN_MAX + 4];
	const char *host = offer_host(facts, buf, sizeof buf);

	if (is_literal(host)) {
		clause(f, "by", host);
		snprintf(info, sizeof info, "(%s)", host);
		word(f, info);
	} else if (is_domain(host))
		clause(f, "by", host);
	else {
		clause(f, "by", "unknown");
		comment(f, "host", host, CHAIN_TEXT_MAX);
	}
}

static bool
is_atom(const char *s)
{
	size_t i;

	for (i = 0; s[i]; i++)
		if (s[i] <= ' ' || s[i] > '~' || strchr("()<>[]:;@\\,.\"", s[i]))
			return false;
	return i > 0 && i <= ID_CLAUSE_MAX;
}

/*
 * The For clause, only for a single recipient: with several it would show one of them to the others. Its Path needs a
 * domain, and must be ASCII unless the message is internationalized (RFC 6531 3.7.3).
 */
static void
recipient(struct fold *f, const struct envelope *e)
{
	char path[ADDR_MAILBOX_MAX + 3];
	struct addr a;

	if (!e || e->nrcpt != 1 || e->rcpt[0].kind != ENVELOPE_RCPT)
		return;
	if (addr_mailbox(e->rcpt[0].path, e->rcpt[0].path_len, &a) < 0 || (a.is_utf8 && !is_utf8_mail(e)))
		return;
	snprintf(path, sizeof path, "<%s>", a.text);
	clause(f, "for", path);
}

int
received_add(struct buf *out, const struct facts *facts, const struct envelope *e, time_t now, int options,
    const char *eol)
{
	struct fold f = { .out = out, .eol = eol };
	const char *id = facts_get(facts, "MSA_MESSAGE");
	const char *cipher = facts_is_tls(facts) ? facts_get(facts, "SSL_CIPHER") : NULL;
	const char *subject = facts_is_tls(facts) ? facts_get(facts, "SSL_PEER_CERT_SUBJECT") : NULL;
	size_t was = out->len;
	char date[CLOCK_DATE_MAX];

	if (cipher)
		cipher = received_cipher(cipher);
	put(&f, "Received: ", strlen("Received: "));
	f.fresh = true; /* no line break here: an empty first line is legal, but not every reader accepts it */
	if (options & RECEIVED_PRIVATE)
		clause(&f, "from", "unknown");
	else
		from(&f, facts);
	line(&f);
	by(&f, facts);
	clause(&f, "with", received_keyword(facts, e));
	if (id && is_atom(id))
		clause(&f, "id", id);
	recipient(&f, e);
	if (cipher)
		clause(&f, "tls", cipher); /* RFC 8314 7.4: an Additional-Registered-Clause, after For */
	if (options & RECEIVED_SUBJECT && subject && *subject)
		comment(&f, "certificate", subject, RECEIVED_SUBJECT_MAX);
	put(&f, ";", 1);
	clock_date(date, sizeof date, now);
	line(&f);
	put(&f, date, strlen(date));
	put(&f, eol, strlen(eol));
	if (f.failed) {
		out->len = was;
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

enum header_result
received_look(struct received_top *top, int fd)
{
	struct header h = { 0 };
	enum header_result result = header_read(&h, fd, HEADER_MAX);
	int e = errno;
	struct field f;
	size_t pos = 0;
	int r;

	*top = (struct received_top){ .joins = header_joins(&h), .crlf = h.crlf };
	while (result == HEADER_OK && (r = header_next(h.text.p, h.text.len, &pos, &f)) != 0)
		top->count += r > 0 && f.id == FIELD_RECEIVED;
	header_free(&h);
	errno = e;
	return result;
}
