/* ISC licence, see LICENSE. */
#include "mail/report.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "chain/dsn.h"
#include "msa/msgfile.h"

enum {
	LINE_MAX_TEXT = 998, /* RFC 5322 2.1.1 */
	BOUNDARY_MAX = 70,   /* RFC 2046 5.1.1 */
};

/* A part of the multipart: its type and its content, lines ended by CRLF. */
struct part {
	const char *type;
	struct buf content;
	enum { AS_IT_IS, ENCODED, EIGHT_BIT } how;
};

enum { PART_TEXT, PART_STATUS, PART_QUOTE, PARTS };

struct work {
	const struct report *r;
	struct part part[PARTS];
	bool utf8; /* use the forms of RFC 6533 */
	char boundary[BOUNDARY_MAX + 1];
};

static bool
is_eight_bit(const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if ((unsigned char)s[i] > 127)
			return true;
	return false;
}

/* Can a part be sent without encoding? Not if it is no text: a long line, a bare CR or LF, a NUL. */
enum fitness { FIT, FIT_EIGHT_BIT, UNFIT };

static enum fitness
judge(const struct buf *b)
{
	size_t i, line = 0;

	for (i = 0; i < b->len; i++) {
		char c = b->p[i];

		line = c == '\n' ? 0 : line + 1;
		if (c == '\0' || line > LINE_MAX_TEXT + 1) /* line counts the CR */
			return UNFIT;
		if (c == '\r' ? i + 1 == b->len || b->p[i + 1] != '\n' : c == '\n' && (i == 0 || b->p[i - 1] != '\r'))
			return UNFIT;
	}
	return b->len > 0 && is_eight_bit(b->p, b->len) ? FIT_EIGHT_BIT : FIT;
}

/* Append b in quoted-printable, RFC 2045 6.7. */
static int
add_encoded(struct buf *out, const struct buf *b)
{
	size_t i, column = 0;

	for (i = 0; i < b->len; i++) {
		unsigned char c = (unsigned char)b->p[i];
		bool end = c == '\r' && i + 1 < b->len && b->p[i + 1] == '\n';
		bool last = i + 1 == b->len || (i + 2 < b->len && b->p[i + 1] == '\r' && b->p[i + 2] == '\n');
		bool plain = c != '=' && ((c > ' ' && c <= '~') || ((c == ' ' || c == '\t') && !last));

		if (end) {
			if (buf_puts(out, "\r\n") < 0)
				return -1;
			column = 0;
			i++;
			continue;
		}
		if (column + (plain ? 1 : 3) > REPORT_COLUMNS - 1) {
			if (buf_puts(out, "=\r\n") < 0)
				return -1;
			column = 0;
		}
		if ((plain ? buf_add(out, &c, 1) : buf_printf(out, "=%02X", c)) < 0)
			return -1;
		column += plain ? 1 : 3;
	}
	return 0;
}

/* Append a reply, with the prefix first or next before each line, up to most octets of its text. */
static int
add_reply(struct buf *out, const struct reply_foreign *r, const char *first, const char *next, size_t most)
{
	const char *s = r->text ? r->text : "", *prefix = first;
	size_t left = most < REPORT_REPLY_MAX ? most : REPORT_REPLY_MAX;
	char enhanced[12];

	if (*r->enhanced)
		snprintf(enhanced, sizeof enhanced, "%s", r->enhanced);
	else
		snprintf(enhanced, sizeof enhanced, "%d.0.0", r->code / 100 % 10);
	do {
		size_t n = strcspn(s, "\n"), shown = n < left ? n : left;

		while (shown > 0 && (s[shown - 1] == ' ' || s[shown - 1] == '\t'))
			shown--;
		if (buf_printf(out, "%s%d %s%s%.*s\r\n", prefix, r->code, enhanced, shown ? " " : "", (int)shown, s) < 0)
			return -1;
		left -= shown;
		s += n + (s[n] != '\0');
		prefix = next;
	} while (*s && left > 0);
	return 0;
}

/*
 * The groups of recipients in the part for people, and what is said of each. A temporary answer often ends with the
 * advice to try again, which only the sender can follow: so the sender is told.
 */
enum group { GROUP_REFUSED, GROUP_GIVEN_UP, GROUP_DELAYED, GROUP_RELAYED, GROUP_DELIVERED, GROUPS };

static const char *const explanation[] = {
	[GROUP_REFUSED] = "could not be delivered to these recipients.\r\n"
	                  "Nobody will try again. The last answer was:",
	[GROUP_GIVEN_UP] = "could not be delivered to these recipients.\r\n"
	                   "This server does not try again. If it is still wanted, please send it again later.\r\n"
	                   "The last answer was:",
	[GROUP_DELAYED] = "has not been delivered yet to these recipients.\r\n"
	                  "It will be tried again. The last answer was:",
	[GROUP_RELAYED] = "has been handed on for these recipients to a server that sends no such reports:",
	[GROUP_DELIVERED] = "has been delivered to these recipients:",
};

static enum group
group_of(const struct report_rcpt *r)
{
	switch (r->action) {
	case REPORT_FAILED:
		return r->reply->code < 500 ? GROUP_GIVEN_UP : GROUP_REFUSED;
	case REPORT_DELAYED:
		return GROUP_DELAYED;
	case REPORT_RELAYED:
		return GROUP_RELAYED;
	case REPORT_DELIVERED:
		break;
	}
	return GROUP_DELIVERED;
}

/* For these actions the report quotes the reply as the reason. */
static bool
has_reason(enum report_action a)
{
	return a == REPORT_FAILED || a == REPORT_DELAYED;
}

static int
write_text(struct work *w)
{
	const struct report *r = w->r;
	struct buf *b = &w->part[PART_TEXT].content;
	enum group g;
	char date[CLOCK_DATE_MAX];
	size_t i;
	bool begun;

	clock_date(date, sizeof date, r->arrival);
	if (buf_printf(b, "This is the mail server %s.\r\n", r->host) < 0)
		return -1;
	for (g = 0; g < GROUPS; g++)
		for (i = 0, begun = false; i < r->n; i++) {
			const struct report_rcpt *to = &r->rcpt[i];

			if (group_of(to) != g)
				continue;
			if (!begun && buf_printf(b, "\r\nYour message %s\r\n\r\n", explanation[g]) < 0)
				return -1;
			begun = true;
			if (buf_printf(b, "  <%.*s>\r\n", (int)to->line->path_len, to->line->path) < 0 ||
			    (has_reason(to->action) && add_reply(b, to->reply, "    ", "    ", reply_fact(to->reply)) < 0))
				return -1;
		}
	return buf_printf(b, "\r\nIt came at %s and is %s in our log.\r\n"
	    "A report for programs follows, and then the message or its header.\r\n", date, r->id);
}

/* Append "Original-Recipient: type; address" if the recipient has an ORCPT. */
static int
add_original(struct buf *b, const struct envelope_line *line)
{
	const char *value, *semi;
	size_t len, type;

	if (!envelope_param(line, "ORCPT", &value, &len) || !value || !(semi = memchr(value, ';', len)))
		return 0;
	type = (size_t)(semi - value);
	if (buf_printf(b, "Original-Recipient: %.*s; ", (int)type, value) < 0 ||
	    dsn_decode(b, semi + 1, len - type - 1) < 0)
		return -1;
	return buf_puts(b, "\r\n");
}

/* RFC 3464 2.1: the fields of the message, then the fields of each recipient. */
static int
write_status(struct work *w)
{
	static const char *const action[] = { "failed", "delayed", "relayed", "delivered" };
	const struct report *r = w->r;
	struct buf *b = &w->part[PART_STATUS].content;
	const char *value;
	char date[CLOCK_DATE_MAX];
	size_t i, len;

	clock_date(date, sizeof date, r->arrival);
	if (envelope_param(&r->envelope->mail, "ENVID", &value, &len) && value &&
	    (buf_puts(b, "Original-Envelope-Id: ") < 0 || dsn_decode(b, value, len) < 0 || buf_puts(b, "\r\n") < 0))
		return -1;
	if (buf_printf(b, "Reporting-MTA: dns; %s\r\nArrival-Date: %s\r\n", r->host, date) < 0)
		return -1;
	for (i = 0; i < r->n; i++) {
		const struct report_rcpt *to = &r->rcpt[i];
		const struct envelope_line *l = to->line;
		const struct reply_foreign *reply = to->reply;

		if (buf_puts(b, "\r\n") < 0 || add_original(b, l) < 0 ||
		    buf_printf(b, "Final-Recipient: %s; %.*s\r\nAction: %s\r\n",
		        is_eight_bit(l->path, l->path_len) ? "utf-8" : "rfc822", (int)l->path_len, l->path,
		        action[to->action]) < 0)
			return -1;
		if (*reply->enhanced ? buf_printf(b, "Status: %s\r\n", reply->enhanced) < 0 :
		                       buf_printf(b, "Status: %d.0.0\r\n", reply->code / 100 % 10) < 0)
			return -1;
		if (has_reason(to->action) && add_reply(b, reply, "Diagnostic-Code: smtp; ", " ", REPORT_REPLY_MAX) < 0)
			return -1;
		clock_date(date, sizeof date, r->until);
		if (to->action == REPORT_DELAYED && buf_printf(b, "Will-Retry-Until: %s\r\n", date) < 0)
			return -1;
	}
	return 0;
}

/* Read the first n octets of a file. Returns 0, or -1 with errno set. */
static int
read_start(struct buf *b, int fd, size_t n)
{
	if (buf_room(b, n) < 0 || file_read(fd, b->p, n, 0) < 0)
		return -1;
	b->len = n;
	b->p[b->len] = '\0';
	return 0;
}

/* Cut the beginning of a message after its header; if the header is incomplete, after the last whole line. */
static void
keep_header(struct buf *b)
{
	size_t i, lines = 0;

	for (i = 0; i + 1 < b->len; i++)
		if (b->p[i] == '\r' && b->p[i + 1] == '\n') {
			bool empty = i == lines;

			if (empty)
				break;
			lines = ++i + 1;
		}
	b->len = lines;
}

/* The envelope has BODY=word. */
static bool
is_body(const struct envelope *e, const char *word)
{
	const char *value;
	size_t len;

	return envelope_param(&e->mail, "BODY", &value, &len) && value && len == strlen(word) &&
	    memcmp(value, word, len) == 0;
}

/*
 * Quote the message: all of it if the sender asked for that (RFC 3461 4.3: only for failures), if it is small enough,
 * and if another message can contain it; otherwise its header.
 */
static int
write_quote(struct work *w)
{
	const struct report *r = w->r;
	struct part *q = &w->part[PART_QUOTE];
	off_t size = file_size(r->message);
	bool whole, failed = false;
	enum fitness fitness;
	size_t i;

	for (i = 0; i < r->n; i++)
		failed |= r->rcpt[i].action == REPORT_FAILED;
	if (size < 0)
		return -1;
	whole = failed && dsn_wants_full(&r->envelope->mail) && (size_t)size <= r->quote_max &&
	    !is_body(r->envelope, "BINARYMIME");
	if (read_start(&q->content, r->message, (size_t)size < r->quote_max ? (size_t)size : r->quote_max) < 0)
		return -1;
	fitness = judge(&q->content);
	if (whole && !w->utf8) /* RFC 2046 5.2.1: message/rfc822 is never encoded */
		whole = fitness == FIT || (fitness == FIT_EIGHT_BIT && is_body(r->envelope, "8BITMIME"));
	if (!whole) {
		keep_header(&q->content);
		fitness = judge(&q->content);
	}
	q->how = fitness == FIT ? AS_IT_IS : whole && !w->utf8 ? EIGHT_BIT : ENCODED;
	q->type = whole ? w->utf8 ? "message/global" : "message/rfc822" :
	    w->utf8     ? "message/global-headers" :
	                  "text/rfc822-headers";
	return 0;
}

static bool
contains(const struct buf *b, const char *s)
{
	size_t n = strlen(s), i;

	for (i = 0; i + n <= b->len; i++)
		if (b->p[i] == *s && memcmp(b->p + i, s, n) == 0)
			return true;
	return false;
}

/*
 * Choose a boundary that occurs in no part: RFC 2046 5.1.1. The id alone is not enough, since the sender may know it
 * and have put it into the message.
 */
static void
choose_boundary(struct work *w)
{
	char word[41];
	unsigned i, n = 0;
	const char *s;

	for (s = w->r->id, i = 0; *s && i < sizeof word - 1; s++)
		if ((*s >= '0' && *s <= '9') || (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z'))
			word[i++] = *s;
	word[i] = '\0';
	do {
		snprintf(w->boundary, sizeof w->boundary, "=_%s.%u", word, n++);
		for (i = 0; i < PARTS && !contains(&w->part[i].content, w->boundary); i++)
			;
	} while (i < PARTS);
}

static int
write_header(const struct work *w, struct buf *out)
{
	const struct report *r = w->r;
	const struct envelope_line *to = &r->envelope->mail;
	const char *subject = "Message handed on";
	char date[CLOCK_DATE_MAX];
	bool failed = false, delayed = false;
	size_t i;

	for (i = 0; i < r->n; i++) {
		failed |= r->rcpt[i].action == REPORT_FAILED;
		delayed |= r->rcpt[i].action == REPORT_DELAYED;
		if (r->rcpt[i].action == REPORT_DELIVERED)
			subject = "Message delivered";
	}
	if (delayed)
		subject = "Message delayed";
	if (failed)
		subject = "Message not delivered to every recipient";
	clock_date(date, sizeof date, r->date);
	return buf_printf(out, "Date: %s\r\nFrom: Mail Delivery System <%s%s>\r\nTo: <%.*s>\r\nSubject: %s\r\n"
	    "Message-ID: <%s@%s>\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=%s;\r\n boundary=\"%s\"\r\n%s\r\n",
	    date, r->from ? r->from : "postmaster@", r->from ? "" : r->host, (int)to->path_len, to->path, subject,
	    r->report_id, r->host, w->utf8 ? "global-delivery-status" : "delivery-status", w->boundary,
	    w->part[PART_QUOTE].how == EIGHT_BIT ? "Content-Transfer-Encoding: 8bit\r\n" : "");
}

static int
write_parts(const struct work *w, struct buf *out)
{
	static const char *const encoding[] = { "", "Content-Transfer-Encoding: quoted-printable\r\n",
		"Content-Transfer-Encoding: 8bit\r\n" };
	size_t i;

	for (i = 0; i < PARTS; i++) {
		const struct part *p = &w->part[i];

		if (buf_printf(out, "%s--%s\r\nContent-Type: %s\r\n%s\r\n", i ? "\r\n" : "", w->boundary, p->type,
		        encoding[p->how]) < 0 ||
		    (p->how == ENCODED ? add_encoded(out, &p->content) : buf_add(out, p->content.p, p->content.len)) < 0)
			return -1;
	}
	return buf_printf(out, "\r\n--%s--\r\n", w->boundary);
}

/* Write the three parts and decide the encoding of each. */
static int
compose(struct work *w)
{
	const struct envelope_line *mail = &w->r->envelope->mail;
	const char *value;
	size_t len, i;

	w->utf8 = envelope_param(mail, "SMTPUTF8", &value, &len) || is_eight_bit(mail->path, mail->path_len);
	if (write_text(w) < 0 || write_status(w) < 0)
		return -1;
	w->utf8 |= is_eight_bit(w->part[PART_STATUS].content.p, w->part[PART_STATUS].content.len);
	w->part[PART_STATUS].type = w->utf8 ? "message/global-delivery-status" : "message/delivery-status";
	for (i = PART_TEXT; i <= PART_STATUS; i++)
		w->part[i].how = judge(&w->part[i].content) == FIT ? AS_IT_IS : ENCODED;
	w->part[PART_TEXT].type = w->part[PART_TEXT].how == ENCODED ? "text/plain; charset=utf-8" :
	                                                              "text/plain; charset=us-ascii";
	if (write_quote(w) < 0)
		return -1;
	choose_boundary(w);
	return 0;
}

int
report_make(const struct report *r, const char **params)
{
	struct work w = { .r = r };
	struct buf out = { 0 };
	int fd = -1, e;
	size_t i;

	if (compose(&w) == 0 && write_header(&w, &out) == 0 && write_parts(&w, &out) == 0)
		fd = msgfile_of(out.p, out.len);
	e = errno;
	*params = is_eight_bit(r->envelope->mail.path, r->envelope->mail.path_len) ? " SMTPUTF8" :
	    w.part[PART_QUOTE].how == EIGHT_BIT                                       ? " BODY=8BITMIME" :
	                                                                                "";
	buf_free(&out);
	for (i = 0; i < PARTS; i++)
		buf_free(&w.part[i].content);
	errno = e;
	return fd;
}

int
report_envelope(struct buf *out, const struct envelope *e, const char *params)
{
	return buf_printf(out, "MAIL FROM:<>%s\nRCPT TO:<%.*s>\n", params, (int)e->mail.path_len, e->mail.path);
}

int
report_facts(struct facts *f, const char *id)
{
	static const char *const of_the_client[] = { "TCPREMOTEIP", "TCPREMOTEPORT", "TCPREMOTEHOST", "TCPREMOTEINFO",
		"RELAYCLIENT" };
	size_t i;

	facts_claim(f, FACTS_TLSD);
	for (i = 0; i < sizeof of_the_client / sizeof *of_the_client; i++)
		facts_unset(f, of_the_client[i]);
	return facts_set(f, "MSA_MESSAGE", id) < 0 || facts_set(f, "MSA_RCPTS", "1") < 0 ? -1 : 0;
}
