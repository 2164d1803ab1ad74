/* ISC licence, see LICENSE. */
#ifndef MSA_CHAIN_ENVELOPE_H
#define MSA_CHAIN_ENVELOPE_H

#include <stddef.h>

#include "base/buf.h"
#include "smtp/param.h"

/* The envelope on fd 3, chain(7) Envelope. */
enum envelope_kind {
	ENVELOPE_RCPT,  /* RCPT TO:<path> ...: to be delivered */
	ENVELOPE_REPLY, /* a reply in place of a recipient that an earlier stage refused; text is the reply line */
	ENVELOPE_COPY,  /* COPY TO:<path> ...: delivered, but has no reply in the verdict */
};

struct envelope_line {
	enum envelope_kind kind;
	const char *text;   /* the whole line, NUL-ended, without LF */
	const char *path;   /* between the brackets, canonical; NULL for a reply */
	size_t path_len;
	const char *params; /* after the path, without the space; "" if there are none; NULL for a reply */
};

struct envelope {
	struct buf text;            /* owns the text that the lines point to */
	struct envelope_line mail;  /* its kind is not used */
	struct envelope_line *rcpt; /* owned; RCPT and REPLY lines in their order, then COPY lines */
	size_t nrcpt;               /* RCPT and REPLY lines: the number of replies in the verdict */
	size_t ncopy;               /* COPY lines */
};

/*
 * Read and check the envelope in fd, a regular file of at most CHAIN_ENVELOPE_MAX octets. e must be empty.
 * Returns 0, or -1 with errno set (EINVAL: not an envelope; ENOMEM; or as file_slurp) and *why set to a constant text,
 * the reason.
 */
int envelope_read(struct envelope *e, int fd, const char **why);

/* As envelope_read, from text, which e takes over. */
int envelope_parse(struct envelope *e, struct buf *text, const char **why);

void envelope_free(struct envelope *e);

/* Find a parameter of line. Returns 1 (found; *value is NULL if it has no value), or 0 (not found). */
int envelope_param(const struct envelope_line *line, enum param p, const char **value, size_t *len);

#endif
