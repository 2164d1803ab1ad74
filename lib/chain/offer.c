/* ISC licence, see LICENSE. */
#include "chain/offer.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "chain/limits.h"
#include "chain/offerfile.h"

/* The extensions that submitd implements by itself, whatever the next hop offers. */
static const uint32_t ours = CAP_PIPELINING | CAP_ENHANCEDSTATUSCODES | CAP_SIZE | CAP_PRDR | CAP_LIMITS | CAP_CHUNKING;

/* The extensions that a chain may offer only if its next hop does, listed in MSA_EHLO. */
static const uint32_t needs_next_hop = CAP_8BITMIME | CAP_BINARYMIME | CAP_DSN | CAP_SMTPUTF8 | CAP_DELIVERBY |
    CAP_MT_PRIORITY | CAP_REQUIRETLS | CAP_FUTURERELEASE | CAP_MTRK | CAP_NO_SOLICITING;

/* Take the keywords of the next hop from MSA_EHLO. */
static void
next_hop(struct ehlo *e, const char *s)
{
	char theirs[sizeof e->no_soliciting];

	ehlo_take_list(e, s);
	e->pass_solicit = e->caps & CAP_NO_SOLICITING;
	memcpy(theirs, e->no_soliciting, sizeof theirs);
	e->no_soliciting[0] = '\0';
	if (ehlo_refuse(e, theirs, strlen(theirs)) < 0) /* then only the next hop itself applies its words */
		e->no_soliciting[0] = '\0';
}

static bool
is_set(const struct facts *f, const char *name)
{
	const char *s = facts_get(f, name);

	return s && *s;
}

const char *
offer_from_facts(struct ehlo *e, const struct facts *f)
{
	const char *s = facts_get(f, "MSA_EHLO"), *wrong = NULL;
	long long limit = facts_number(f, "DATABYTES", 0), mails = facts_number(f, "MSA_MAILMAX", 0);
	const bool whole = s && *s == '='; /* another server has the dialogue, so the whole list is its own */

	*e = (struct ehlo){ 0 };
	if (s && !ehlo_list_is_valid(s + whole))
		wrong = "MSA_EHLO";
	if (whole)
		ehlo_take_list(e, s + 1);
	else if (s)
		next_hop(e, s);
	else
		e->caps = CAP_8BITMIME;
	e->caps = whole ? e->caps & (needs_next_hop | ours) : (e->caps & needs_next_hop) | ours;
	if (facts_is_lmtp(f))
		e->caps &= ~(uint32_t)CAP_PRDR;
	if (is_set(f, "DATABYTES") && facts_number(f, "DATABYTES", -1) < 0)
		wrong = "DATABYTES";
	if (limit > 0 && (e->size == 0 || limit < e->size))
		e->size = limit;
	if (mails > EHLO_MAILMAX || (is_set(f, "MSA_MAILMAX") && facts_number(f, "MSA_MAILMAX", -1) < 0))
		wrong = "MSA_MAILMAX";
	e->mailmax = wrong ? 0 : (int)mails;
	snprintf(e->limits, sizeof e->limits, "RCPTMAX=%d", CHAIN_RCPT_MAX);
	if (e->mailmax > 0)
		snprintf(e->limits, sizeof e->limits, "RCPTMAX=%d MAILMAX=%d", CHAIN_RCPT_MAX, e->mailmax);
	s = facts_get(f, "MSA_SOLICIT");
	if (s && ehlo_refuse(e, s, strlen(s)) < 0)
		wrong = "MSA_SOLICIT";
	if (s)
		e->caps |= CAP_NO_SOLICITING;
	return wrong;
}

int
offer_or_log(struct ehlo *e, const struct facts *f, const struct log *log)
{
	const char *wrong = offer_from_facts(e, f);

	if (!wrong)
		return 0;
	log_error(log, "misuse", "%s is invalid%s", wrong,
	    strcmp(wrong, "MSA_EHLO") == 0 ? ": not keywords with commas or newlines between" : "");
	return -1;
}

int
offer_learn(struct facts *f, const struct log *log)
{
	const char *s = facts_get(f, "MSA_EHLO"), *why;
	struct buf list = { 0 };
	int r;

	if (!s || *s != '@')
		return 0;
	r = offerfile_expand(&list, s, &why);
	if (r < 0 && log_permit(log))
		log_error(log, "failed", "MSA_EHLO: %.*s: %s", (int)strcspn(s + 1, ",\n"), s + 1, why);
	r = list.p ? facts_set(f, "MSA_EHLO", list.p) : -1;
	buf_free(&list);
	return r;
}

int
offer_of_next_hop(uint32_t *caps, const char *s, const struct log *log)
{
	struct ehlo e = { 0 };
	struct buf list = { 0 };
	const char *why;

	if (!s)
		return 0;
	if (offerfile_expand(&list, s, &why) < 0)
		log_error(log, "failed", "%.*s: %s", (int)strcspn(s + 1, ",\n"), s + 1, why);
	if (!list.p)
		return -1;
	ehlo_take_list(&e, list.p);
	*caps = e.caps;
	buf_free(&list);
	return 0;
}

const char *
offer_host(const struct facts *f, char *buf, size_t cap)
{
	const char *host = facts_get(f, "MSA_HOST");

	if (host && *host)
		return host;
	if (gethostname(buf, cap) < 0 || !*buf)
		snprintf(buf, cap, "localhost");
	buf[cap - 1] = '\0';
	return buf;
}
