/* ISC licence, see LICENSE. */
#include "smtp/watch.h"

#include <string.h>
#include <strings.h>

#include "smtp/reply.h"
#include "smtp/verb.h"

enum { CLIENT, SERVER };

/* The end of a message in the list of what has no reply yet, beside the verbs. */
enum { END_OF_MESSAGE = VERB_COUNT };

/* Dots: 0 in a line, and the steps to the line of a single dot. */
enum { DOT_LINE, DOT_CR, DOT_START, DOT_DOT, DOT_DOT_CR, DOT_END };

static void
write_line(struct watch *w, int side, const char *text, size_t n, bool is_whole, enum recording_what what,
    long long left)
{
	const struct recording_line l = { w->ms, side == CLIENT, is_whole, text, n };

	w->failed |= recording_add(&w->out, &l, what, left) < 0;
}

/* Write the content that was counted and left out, but for its last octets, which may be the dot. */
static void
write_content(struct watch *w, long long but)
{
	if (w->content > but)
		write_line(w, CLIENT, "", 0, false, RECORDING_CONTENT, w->content - but);
	w->content = w->content > but ? but : w->content;
}

/* The octets at the end of the content that may be the line of a single dot. */
static long long
dot_octets(const struct watch *w)
{
	if (w->state != WATCH_UNSURE && w->state != WATCH_CONTENT)
		return 0;
	return w->dot == DOT_DOT ? 1 : w->dot == DOT_DOT_CR ? 2 : 0;
}

/* Write the octets of a line that has no end yet. */
static void
write_part(struct watch *w, int side)
{
	if (w->len[side] > 0)
		write_line(w, side, w->line[side], w->len[side], false, RECORDING_OCTET, 0);
	w->len[side] = 0;
}

static void
push(struct watch *w, int what)
{
	if (w->n == WATCH_PENDING) {
		w->first = (w->first + 1) % WATCH_PENDING;
		w->n--;
	}
	w->pending[(w->first + w->n++) % WATCH_PENDING] = (unsigned char)what;
}

static void
end_message(struct watch *w)
{
	long long i;

	w->state = WATCH_COMMAND;
	push(w, END_OF_MESSAGE);
	for (i = 1; w->is_lmtp && i < w->rcpts; i++)
		push(w, END_OF_MESSAGE);
	w->rcpts = 0;
}

/* Returns the length of "AUTH MECHANISM" if the line begins with a mechanism that is one, else that of nothing. */
static size_t
known_mechanism(const char *line, size_t n)
{
	static const char *const known[] = { "PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "EXTERNAL", "XOAUTH2", "OAUTHBEARER",
		"SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS" };
	const size_t verb = strlen("AUTH ");
	size_t i;

	for (i = 0; i < sizeof known / sizeof *known && n > verb; i++) {
		size_t len = strlen(known[i]);

		if (n >= verb + len && strncasecmp(line + verb, known[i], len) == 0 && (n == verb + len || line[verb + len] == ' '))
			return n == verb + len ? n : verb + len + 1;
	}
	return 0;
}

/* How many octets of a command may be written: a credential in the wrong place is no command that we know. */
static size_t
open_part(enum verb v, const char *line, size_t n)
{
	size_t i;

	if (v == VERB_UNKNOWN)
		return 0;
	if (v == VERB_AUTH)
		n = known_mechanism(line, n);
	for (i = 0; i < n && line[i] != '\r' && line[i] != '\n' && line[i] != '\0'; i++)
		; /* what a server takes for another line */
	return i;
}

/* Parse the argument of BDAT into w->left and w->is_last. Returns false: invalid. */
static bool
take_chunk(struct watch *w, const char *line, size_t n)
{
	const char *s = line + strlen("BDAT "), *end = line + n;
	int digits;

	w->left = 0;
	for (digits = 0; s < end && *s >= '0' && *s <= '9' && digits < 18; digits++)
		w->left = w->left * 10 + (*s++ - '0');
	w->is_last = end - s >= 5 && strncasecmp(s, " LAST", 5) == 0;
	return digits > 0 && (s == end || *s == ' ');
}

static void
end_chunk(struct watch *w)
{
	write_part(w, CLIENT);
	write_content(w, 0);
	if (w->is_last)
		end_message(w);
	else {
		push(w, VERB_BDAT);
		w->state = WATCH_COMMAND;
	}
}

/* A command has come as a whole, or as much of it as there is room for. */
static void
take_command(struct watch *w)
{
	const char *line = w->line[CLIENT];
	size_t n = w->len[CLIENT], open;
	enum verb v = verb_of_start(line, n);

	if (w->state == WATCH_AUTH)
		v = VERB_UNKNOWN;
	open = w->skipped > 0 || n == RECORDING_TEXT_MAX ? 0 : open_part(v, line, n);
	write_line(w, CLIENT, line, open, true, RECORDING_SECRET, (long long)(n - open) + w->skipped);
	w->len[CLIENT] = 0;
	w->skipped = 0;
	if (w->state == WATCH_AUTH) /* the lines of an exchange are answered as one command */
		return;
	if (v == VERB_BDAT && take_chunk(w, line, n)) {
		w->state = WATCH_CHUNK;
		if (w->left == 0)
			end_chunk(w);
		return;
	}
	push(w, (int)v);
	if (v == VERB_AUTH)
		w->state = WATCH_AUTH;
	if (v == VERB_DATA) {
		w->state = WATCH_UNSURE;
		w->dot = DOT_START;
	}
}

static void
take_line_octet(struct watch *w, char c)
{
	bool is_end = c == '\n' && w->was_cr;

	w->was_cr = c == '\r';
	if (is_end) {
		if (w->skipped > 0)
			w->skipped--; /* the CR */
		else
			w->len[CLIENT]--;
		take_command(w);
	} else if (w->len[CLIENT] < RECORDING_TEXT_MAX && w->skipped == 0)
		w->line[CLIENT][w->len[CLIENT]++] = c;
	else
		w->skipped++;
}

/* Keep an octet of content as text. */
static void
keep(struct watch *w, char c)
{
	char *line = w->line[CLIENT];
	size_t *n = &w->len[CLIENT];

	if (c == '\n' && *n > 0 && line[*n - 1] == '\r') {
		write_line(w, CLIENT, line, *n - 1, true, RECORDING_OCTET, 0);
		*n = 0;
		return;
	}
	if (*n == RECORDING_TEXT_MAX)
		write_part(w, CLIENT);
	line[(*n)++] = c;
}

static void
take_content_octet(struct watch *w, char c)
{
	switch (w->dot) {
	case DOT_CR:
		w->dot = c == '\n' ? DOT_START : c == '\r' ? DOT_CR : DOT_LINE;
		break;
	case DOT_START:
		w->dot = c == '.' ? DOT_DOT : c == '\r' ? DOT_CR : DOT_LINE;
		break;
	case DOT_DOT:
		w->dot = c == '\r' ? DOT_DOT_CR : DOT_LINE;
		break;
	case DOT_DOT_CR:
		w->dot = c == '\n' ? DOT_END : c == '\r' ? DOT_CR : DOT_LINE;
		break;
	default:
		w->dot = c == '\r' ? DOT_CR : DOT_LINE;
		break;
	}
	if (w->keeps)
		keep(w, c);
	else
		w->content++;
	if (w->dot != DOT_END)
		return;
	write_part(w, CLIENT);
	if (!w->keeps) {
		write_content(w, (long long)strlen(".\r\n"));
		write_line(w, CLIENT, ".", 1, true, RECORDING_OCTET, 0);
		w->content = 0;
	}
	end_message(w);
}

/* Take octets of a chunk. Returns their number. */
static size_t
take_chunk_octets(struct watch *w, const char *p, size_t n)
{
	size_t i;

	if ((long long)n > w->left)
		n = (size_t)w->left;
	for (i = 0; w->keeps && i < n; i++)
		keep(w, p[i]);
	if (!w->keeps)
		w->content += (long long)n;
	w->left -= (long long)n;
	if (w->left == 0)
		end_chunk(w);
	return n;
}

void
watch_client(struct watch *w, const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && w->state != WATCH_CIPHER)
		switch (w->state) {
		case WATCH_UNSURE:
		case WATCH_CONTENT:
			take_content_octet(w, p[i++]);
			break;
		case WATCH_CHUNK:
			i += take_chunk_octets(w, p + i, n - i);
			break;
		default:
			take_line_octet(w, p[i++]);
			break;
		}
}

/* A reply is whole. */
static void
take_reply(struct watch *w, int code)
{
	int what;

	if (w->extra > 0) {
		w->extra--;
		return;
	}
	if (code == 334 || w->n == 0) /* an exchange goes on; a greeting, or 421 */
		return;
	what = w->pending[w->first];
	w->first = (w->first + 1) % WATCH_PENDING;
	w->n--;
	if (code == 353 && what == END_OF_MESSAGE) /* PRDR: one for each recipient, and one for the message */
		w->extra = w->rcpts + 1;
	if (what == VERB_LHLO)
		w->is_lmtp = code / 100 == 2;
	if (what == VERB_RCPT && code / 100 == 2)
		w->rcpts++;
	if (what == VERB_MAIL || what == VERB_RSET || what == VERB_EHLO || what == VERB_HELO || what == VERB_LHLO)
		w->rcpts = 0;
	if (what == VERB_AUTH && w->state == WATCH_AUTH)
		w->state = WATCH_COMMAND;
	if (w->state == WATCH_UNSURE && (code == 354 || what == VERB_DATA)) {
		w->state = code == 354 ? WATCH_CONTENT : WATCH_COMMAND;
		if (code != 354)
			write_content(w, 0);
	}
	if (what == VERB_STARTTLS && code == 220)
		w->state = WATCH_CIPHER;
}

/* A line of a reply is whole. */
static void
take_reply_line(struct watch *w)
{
	const char *line = w->line[SERVER], *text;
	size_t n = w->len[SERVER], len, open = n;
	bool last;
	int code;

	if (!reply_line(line, n, &code, &last, &text, &len))
		code = 0;
	if (code == 334) /* a challenge belongs to the credentials */
		open = (size_t)(text - line);
	write_line(w, SERVER, line, open, true, RECORDING_SECRET, (long long)(n - open));
	w->len[SERVER] = 0;
	if (code != 0 && last)
		take_reply(w, code);
}

void
watch_server(struct watch *w, const char *p, size_t n)
{
	char *line = w->line[SERVER];
	size_t *len = &w->len[SERVER], i;

	if (n > 0 && w->state != WATCH_CIPHER) { /* what the client has sent before */
		write_content(w, dot_octets(w));
		if (w->state != WATCH_COMMAND && w->state != WATCH_AUTH)
			write_part(w, CLIENT);
	}
	for (i = 0; i < n && w->state != WATCH_CIPHER; i++) {
		if (p[i] == '\n' && *len > 0 && line[*len - 1] == '\r') {
			(*len)--;
			take_reply_line(w);
			continue;
		}
		if (*len == RECORDING_TEXT_MAX)
			write_part(w, SERVER);
		line[(*len)++] = p[i];
	}
}

void
watch_end(struct watch *w)
{
	write_content(w, 0);
	if (w->state != WATCH_UNSURE && w->state != WATCH_CONTENT && w->state != WATCH_CHUNK) {
		if (w->len[CLIENT] > 0) /* half a line: nobody knows what it would be */
			write_line(w, CLIENT, "", 0, false, RECORDING_SECRET, (long long)w->len[CLIENT] + w->skipped);
	} else
		write_part(w, CLIENT);
	write_part(w, SERVER);
}
