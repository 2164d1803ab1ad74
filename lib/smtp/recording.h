/* ISC licence, see LICENSE. */
#ifndef MSA_SMTP_RECORDING_H
#define MSA_SMTP_RECORDING_H

#include <stdbool.h>
#include <stddef.h>

#include "msa/buf.h"

/*
 * The recording of a session, as record(8) describes it: text, a line for each line of either side.
 *
 *   SECONDS SIDE TEXT
 *
 * SIDE is C or S; C- or S- if no CRLF follows the text. In TEXT, "\\" is a backslash, "\xHH" an octet, and
 * "\[content N]" and "\[secret N]" are N octets that were left out.
 */
enum {
	RECORDING_TEXT_MAX = 4000, /* octets of a side's line in one line of a recording; the rest goes to another */
	RECORDING_LINE_MAX = 16384,/* octets of a line that is read */
};

/* The first line of a recording. */
extern const char recording_first[];

enum recording_what { RECORDING_OCTET, RECORDING_CONTENT, RECORDING_SECRET };

struct recording_line {
	long long ms;     /* since the session began */
	bool by_client;
	bool is_whole;    /* CRLF follows */
	const char *text; /* with its escapes; borrowed */
	size_t len;
};

/* Append a line with n octets of text and then left octets that were left out (0: none). Returns 0, or -1 (ENOMEM). */
int recording_add(struct buf *out, const struct recording_line *l, enum recording_what what, long long left);

/*
 * Parse a line without its LF. Returns 1, 0: it is empty or a comment (#), or -1: not such a line. After 1,
 * recording_next does not fail.
 */
int recording_parse(struct recording_line *l, const char *line, size_t len);

/*
 * Take the next part of a text: an octet, or a number of octets that were left out. *s moves after it. Returns 1, 0: at
 * the end, or -1: not an escape.
 */
struct recording_part {
	enum recording_what what;
	char octet;
	long long left;
};
int recording_next(const char **s, const char *end, struct recording_part *part);

#endif
