/* ISC licence, see LICENSE. */
#ifndef MSA_CHAIN_ENVELOPE_H
#define MSA_CHAIN_ENVELOPE_H

#include <stddef.h>

#include "base/buf.h"
#include "smtp/param.h"

/* The envelope of fd 3, chain(7) ENVELOPE. */
enum envelope_kind {
	ENVELOPE_RCPT, /* RCPT TO:<path> ...: to be delivered */
	ENVELOPE_REPLY, /* a reply in its place: refused by an earlier stage; text is the reply line */
	ENVELOPE_COPY, /* COPY TO:<path> ...: delivered, never answered */
};

struct envelope_line {
	enum envelope_kind kind;
	const char *text;   /* the whole line, NUL-ended, without LF */
	const char *path;   /* what stands between the brackets, canonical; NULL for a reply */
	size_t path_len;
	const char *params; /* behind the path, without the space; "" for none; NULL for a reply */
};

struct envelope {
	struct buf text; /* owns what the lines point to */
	struct envelope_line mail; /* kind is not used */
	struct envelope_line *rcpt; /* owned; RCPT and REPLY lines first, in their order, then COPY lines */
	size_t nrcpt; /* RCPT and REPLY lines: how many results are wanted */
	size_t ncopy;
};

/*
 * Read and check the envelope of descriptor fd (a regular file, at most CHAIN_ENVELOPE_MAX). *why, on failure, is a
 * constant text that says what is wrong. 0, or -1 with errno (EINVAL: not an envelope). e must be empty.
 */
int envelope_read(struct envelope *e, int fd, const char **why);

/* The same from memory: takes over text. */
int envelope_parse(struct envelope *e, struct buf *text, const char **why);

void envelope_free(struct envelope *e);

/* The value of a parameter of line: 1 found (*value NULL where it has none), 0 not there. */
int envelope_param(const struct envelope_line *line, enum param p, const char **value, size_t *len);

#endif
