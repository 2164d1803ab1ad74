/* ISC licence, see LICENSE. */
#include "rcpt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "msa/msgfile.h"
#include "say.h"

enum { CHECK_MS = 30000 }; /* what submitd grants one check */

/* Make an envelope of the MAIL line and these recipients. Returns a descriptor, or -1 with errno set. */
static int
write_envelope(const struct envelope *e, const size_t *line, size_t n)
{
	struct buf text = { 0 };
	int fd = -1, r = buf_printf(&text, "%s\n", e->mail.text);
	size_t i;

	for (i = 0; r == 0 && i < n; i++)
		r = buf_printf(&text, "%s\n", e->rcpt[line[i]].text);
	if (r == 0)
		fd = msgfile_of(text.p, text.len);
	buf_free(&text);
	return fd;
}

/* Say what the client would hear. Returns true if the recipient is refused. */
static bool
conclude(const struct answers *a)
{
	const struct reply_foreign *reply = &a->verdict.reply[0];
	const struct say say = { 0 };
	char line[REPLY_SHOWN_MAX], text[SAY_TEXT];

	if (reply->code < 300) {
		say_line(&say, "The client would hear: %d %s %s", reply_code(REPLY_RCPT_OK), reply_enhanced(REPLY_RCPT_OK),
		    reply_text(REPLY_RCPT_OK));
		return false;
	}
	reply_show(reply, line);
	say_line(&say, "The client would hear: %s, from %s", say_text(text, line, strlen(line)),
	    a->by[0] ? a->by[0] : "nobody");
	return true;
}

/* Walk through the check for one recipient. Returns 1 if the recipient is refused, 0, or -1 with errno set. */
static int
ask(struct walk *w, char **argv, const struct call *call, size_t i, const char *rcpt, const char **why)
{
	struct call check = { .kind = CALL_MESSAGE, .in = msgfile_of("", 0), .out = -1, .stop = -1, .log = call->log };
	struct answers a = { .by = NULL };
	const struct say say = { 0 };
	const int64_t all_ms = w->deadline_ms;
	int64_t deadline_ms = clock_ms() + CHECK_MS;
	char text[SAY_TEXT];
	int r = -1, e;

	check.envelope = write_envelope(call->parsed, &i, 1);
	say_title(&say, "At RCPT, <%s>", say_text(text, rcpt, strlen(rcpt)));
	w->deadline_ms = deadline_ms < all_ms ? deadline_ms : all_ms;
	w->stages = 0;
	*why = "the check at RCPT";
	if (check.in >= 0 && check.envelope >= 0 && facts_copy(&check.facts, &call->facts) == 0 &&
	    facts_set(&check.facts, "MSA_RCPTS", "1") == 0 && call_set_deadline(&check, w->deadline_ms) == 0 &&
	    answers_open(&a, 1) == 0) {
		facts_unset(&check.facts, "MSA_PARTIAL");
		r = walk_chain(w, 1, argv, &check, &a, why);
	}
	if (r == 0)
		r = conclude(&a);
	e = errno;
	w->deadline_ms = all_ms;
	answers_free(&a);
	call_forget_envelope(&check);
	facts_free(&check.facts);
	if (check.in >= 0)
		close(check.in);
	if (check.envelope >= 0)
		close(check.envelope);
	errno = e;
	return r;
}

/* Give the call an envelope without the recipients that are refused: line has the n others. */
static int
keep(struct call *call, const size_t *line, size_t n)
{
	int fd = write_envelope(call->parsed, line, n);
	char rcpts[24];

	if (fd < 0)
		return -1;
	call_forget_envelope(call);
	close(call->envelope);
	call->envelope = fd;
	snprintf(rcpts, sizeof rcpts, "%zu", n);
	return facts_set(&call->facts, "MSA_RCPTS", rcpts);
}

int
rcpt_walk(struct walk *w, char **argv, struct call *call, struct letter *l, size_t *refused, const char **why)
{
	size_t *line = calloc(l->n, sizeof *line), n = 0, i;
	int r = 0;

	*refused = 0;
	*why = "memory";
	if (!line || !call_envelope(call)) {
		free(line);
		return -1;
	}
	w->at_rcpt = true;
	for (i = 0; i < l->n && r >= 0; i++) {
		r = ask(w, argv, call, i, l->rcpt[i], why);
		if (r == 0) {
			line[n] = i;
			l->rcpt[n++] = l->rcpt[i];
		}
	}
	w->at_rcpt = false;
	w->stages = 0;
	if (r >= 0) {
		*refused = l->n - n;
		l->n = n;
		r = *refused > 0 && n > 0 ? keep(call, line, n) : 0;
	}
	free(line);
	return r < 0 ? -1 : 0;
}
