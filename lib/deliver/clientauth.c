/* ISC licence, see LICENSE. */
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "deliver/client.h"

/*
 * AUTH (RFC 4954), with saslc(8) knowing what to say. Its lines: "+ " what follows (more is to come), ". " what follows
 * (our side is through), "- " a reason. Whatever goes wrong is about us and not about the message, so it is 451.
 */
enum { AUTH_GRACE_MS = 500 }; /* saslc may take to end */

struct exchange {
	struct helper helper;
	bool through;     /* our side of it */
	struct lineio conn; /* with saslc; last: its buffer is not zeroed */
};

static void
fail(struct client *s, const char *reason, struct reply_foreign *r)
{
	client_fail(s, "AUTH", REPLY_NOT_LET_IN, reason, NULL, r);
}

/* Tell saslc what stands in its out, and take its answer: what follows the sign, or NULL (*r is the answer). */
static const char *
ask(struct client *s, struct exchange *x, struct reply_foreign *r)
{
	enum line_result l;
	char *line;
	size_t len;

	l = lineio_line(&x->conn, LINE_AUTH_MAX, INT_MAX, &line, &len);
	if (l == LINE_OK && len >= 3 && (*line == '+' || *line == '.')) {
		x->through = *line == '.';
		return line + 2;
	}
	if (l == LINE_TIMEOUT)
		client_fail_line(s, "AUTH", l, r);
	else
		fail(s, l == LINE_OK && len > 2 ? line + 2 : "saslc did not start, or ended", r);
	return NULL;
}

/* Send what may be a secret: it must not stay in a buffer. */
static int
say_secretly(struct client *s, const char *a, const char *b, const char *c, struct reply_foreign *r)
{
	int failed = buf_printf(&s->conn.out, "%s%s%s\r\n", a, b, c) < 0 ||
	    lineio_flush(&s->conn, clock_left(s->conn.deadline_ms)) < 0;

	buf_wipe(&s->conn.out);
	if (failed)
		client_fail_line(s, "AUTH", errno == ETIMEDOUT ? LINE_TIMEOUT : LINE_ERROR, r);
	return failed ? -1 : 0;
}

/*
 * The server's next word. 1: a challenge; 0: it is through, with yes; -1: *r is the answer. The words of its no are not
 * logged: some servers quote the line that they do not like, and that was the password.
 */
static int
hear(struct client *s, struct reply_foreign *r)
{
	char no[48];

	if (client_hear_any(s, "AUTH", r) < 0)
		return -1;
	if (r->code == 334)
		return 1;
	if (r->code == 235)
		return 0;
	snprintf(no, sizeof no, "%d%s%s in place of 235", r->code, *r->enhanced ? " " : "", r->enhanced);
	fail(s, no, r);
	return -1;
}

/* From the mechanism to the server's yes. 0; or -1: *r is the answer. */
static int
run(struct client *s, struct exchange *x, const char *first, struct reply_foreign *r)
{
	const char *response = strchr(first, ' ');
	char mech[32];
	int more;

	snprintf(mech, sizeof mech, "%.*s", response ? (int)(response - first) : 0, first);
	response = response ? response + 1 : "-";
	/* RFC 4954 4: an initial response that makes the line too long is sent when it is asked for */
	if (strcmp(response, "-") == 0 || strlen(mech) + strlen(response) + sizeof "AUTH  \r\n" > LINE_COMMAND_MAX) {
		if (say_secretly(s, "AUTH ", mech, "", r) < 0)
			return -1;
		more = hear(s, r);
		if (more == 1 && strcmp(response, "-") != 0) {
			if (say_secretly(s, strcmp(response, "=") == 0 ? "" : response, "", "", r) < 0)
				return -1;
			more = hear(s, r);
		}
	} else {
		char verb[48];

		snprintf(verb, sizeof verb, "AUTH %s ", mech);
		if (say_secretly(s, verb, response, "", r) < 0)
			return -1;
		more = hear(s, r);
	}
	while (more == 1) {
		const char *challenge = r->text && *r->text ? r->text : "=";

		if (x->through) {
			fail(s, "a challenge after the end of the exchange", r);
			return -1;
		}
		if (buf_printf(&x->conn.out, "%s\r\n", challenge) < 0) {
			client_fail_memory(s, "AUTH", r);
			return -1;
		}
		response = ask(s, x, r);
		if (!response || say_secretly(s, strcmp(response, "=") == 0 ? "" : response, "", "", r) < 0)
			return -1;
		more = hear(s, r);
	}
	if (more == 0 && !x->through) { /* it has not proved that it knows us */
		fail(s, "yes before the end of the exchange", r);
		return -1;
	}
	return more;
}

int
client_authenticate(struct client *s, const struct nexthop *n, struct reply_foreign *refusal)
{
	char *argv[] = { (char *)(uintptr_t)"saslc", NULL };
	struct exchange x;
	const char *first;
	int r = -1;

	if (!(s->offer.caps & CAP_AUTH)) {
		fail(s, "not offered", refusal);
		return -1;
	}
	if (client_is_out_of_step(s, "AUTH", refusal))
		return -1;
	memset(&x, 0, offsetof(struct exchange, conn));
	if (helper_start(&x.helper, argv, s->conf->credentials) < 0) {
		fail(s, strerror(errno), refusal);
		return -1;
	}
	lineio_open(&x.conn, x.helper.fd, x.helper.fd);
	x.conn.deadline_ms = s->conn.deadline_ms;
	if (buf_printf(&x.conn.out, "%s %s %s\r\n", s->conf->lmtp ? "lmtp" : "smtp", *n->host ? n->host : "localhost",
	        s->offer.auth) < 0)
		client_fail_memory(s, "AUTH", refusal);
	else if ((first = ask(s, &x, refusal)))
		r = run(s, &x, first, refusal);
	lineio_wipe(&x.conn);
	helper_stop(&x.helper, AUTH_GRACE_MS);
	if (r == 0)
		reply_foreign_free(refusal);
	return r;
}
