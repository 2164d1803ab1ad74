/* ISC licence, see LICENSE. */
#include "deliver/clientauth.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "deliver/starter.h"
#include "smtp/cap.h"

/*
 * Lines from saslc: "+ RESPONSE" (more responses follow), ". RESPONSE" (the last one), "- REASON" (failed). Lines to
 * saslc: first "SERVICE HOST MECHANISMS", then each challenge of the server.
 */
enum { AUTH_GRACE_MS = 500 }; /* the time that saslc has to end */

struct exchange {
	struct helper helper;
	bool complete;      /* saslc has given its last response */
	struct lineio conn; /* with saslc; last: its buffer is not zeroed */
};

static void
fail(struct wire *w, const char *reason, struct reply_foreign *r)
{
	wire_fail(w, "AUTH", REPLY_NOT_LET_IN, reason, NULL, r);
}

/*
 * Send the line in x->conn.out to saslc and read its response. Returns the text after the sign, or NULL: the session is
 * closed and *r is the reply.
 */
static const char *
ask(struct wire *w, struct exchange *x, struct reply_foreign *r)
{
	enum line_result l;
	char *line;
	size_t len;

	l = lineio_line(&x->conn, LINE_AUTH_MAX, INT_MAX, &line, &len);
	if (l == LINE_OK && len >= 3 && (*line == '+' || *line == '.')) {
		x->complete = *line == '.';
		return line + 2;
	}
	if (l == LINE_TIMEOUT)
		wire_fail_line(w, "AUTH", l, r);
	else
		fail(w, l == LINE_OK && len > 2 ? line + 2 : "saslc did not start, or ended", r);
	return NULL;
}

/* Send "PREFIX RESPONSE" as one line, which may hold a secret: wipe the buffer afterwards. As wire_hear, 0 or -1. */
static int
say_secret(struct wire *w, const char *prefix, const char *response, struct reply_foreign *r)
{
	int failed = buf_printf(&w->conn.out, "%s%s%s\r\n", prefix, *prefix && *response ? " " : "", response) < 0 ||
	    lineio_flush(&w->conn, clock_left(w->conn.deadline_ms)) < 0;

	buf_wipe(&w->conn.out);
	if (failed)
		wire_fail_line(w, "AUTH", errno == ETIMEDOUT ? LINE_TIMEOUT : LINE_ERROR, r);
	return failed ? -1 : 0;
}

/* Send a response of saslc, whose "=" is the empty response. */
static int
say_response(struct wire *w, const char *response, struct reply_foreign *r)
{
	return say_secret(w, "", strcmp(response, "=") == 0 ? "" : response, r);
}

/*
 * Read the server's next reply. Returns 1: a challenge, 0: accepted, -1: failed, and *r is the reply. The text of a
 * refusal is not logged: some servers quote the line that they reject, and that line was the password.
 */
static int
hear(struct wire *w, struct reply_foreign *r)
{
	char no[48];

	if (wire_hear_any(w, "AUTH", r) < 0)
		return -1;
	if (r->code == 334)
		return 1;
	if (r->code == 235)
		return 0;
	snprintf(no, sizeof no, "%d%s%s in place of 235", r->code, *r->enhanced ? " " : "", r->enhanced);
	fail(w, no, r);
	return -1;
}

/* Send AUTH and the first response. first is saslc's "MECHANISM RESPONSE", where "-" is no response. As hear. */
static int
begin(struct wire *w, const char *first, struct reply_foreign *r)
{
	const char *response = strchr(first, ' ');
	char command[48];
	int more;

	snprintf(command, sizeof command, "AUTH %.*s", response ? (int)(response - first) : 0, first);
	response = response ? response + 1 : "-";
	/* RFC 4954 4: an initial response that would make the line too long waits for the server's empty challenge. */
	if (strcmp(response, "-") != 0 && strlen(command) + strlen(response) + sizeof " \r\n" <= LINE_COMMAND_MAX)
		return say_secret(w, command, response, r) < 0 ? -1 : hear(w, r);
	if (say_secret(w, command, "", r) < 0)
		return -1;
	more = hear(w, r);
	if (more != 1 || strcmp(response, "-") == 0)
		return more;
	return say_response(w, response, r) < 0 ? -1 : hear(w, r);
}

/* The exchange after saslc's first line. Returns 0: the server accepted; or -1, and *r is the reply. */
static int
run(struct wire *w, struct exchange *x, const char *first, struct reply_foreign *r)
{
	int more = begin(w, first, r);

	while (more == 1) {
		const char *challenge = r->text && *r->text ? r->text : "=", *response;

		if (x->complete) {
			fail(w, "a challenge after the end of the exchange", r);
			return -1;
		}
		if (buf_printf(&x->conn.out, "%s\r\n", challenge) < 0) {
			wire_fail_memory(w, "AUTH", r);
			return -1;
		}
		response = ask(w, x, r);
		if (!response || say_response(w, response, r) < 0)
			return -1;
		more = hear(w, r);
	}
	if (more == 0 && !x->complete) { /* the server has not proved that it knows the password */
		fail(w, "yes before the end of the exchange", r);
		return -1;
	}
	return more;
}

int
clientauth_run(struct wire *w, const struct client_conf *conf, const char *host, const struct ehlo *offer,
    struct reply_foreign *refusal)
{
	struct exchange x;
	const char *first;
	int r = -1;

	if (!(offer->caps & CAP_AUTH)) {
		fail(w, "not offered", refusal);
		return -1;
	}
	if (wire_is_out_of_step(w, "AUTH", refusal))
		return -1;
	memset(&x, 0, offsetof(struct exchange, conn));
	if (starter_auth(conf, &x.helper) < 0) {
		fail(w, strerror(errno), refusal);
		return -1;
	}
	lineio_open(&x.conn, x.helper.fd, x.helper.fd);
	x.conn.deadline_ms = w->conn.deadline_ms;
	if (buf_printf(&x.conn.out, "%s %s %s\r\n", conf->lmtp ? "lmtp" : "smtp", host, offer->auth) < 0)
		wire_fail_memory(w, "AUTH", refusal);
	else if ((first = ask(w, &x, refusal)))
		r = run(w, &x, first, refusal);
	lineio_wipe(&x.conn);
	helper_stop(&x.helper, AUTH_GRACE_MS);
	if (r == 0)
		reply_foreign_free(refusal);
	return r;
}
