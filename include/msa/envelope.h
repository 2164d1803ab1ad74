/* ISC licence, see LICENSE. */
#ifndef MSA_ENVELOPE_H
#define MSA_ENVELOPE_H

#include <stddef.h>

#include <msa/buf.h>

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
 * Find a parameter of line by its keyword, in any case. Returns 1 (found; *value is NULL if it has no value), or 0 (not
 * found).
 */
int envelope_param(const struct envelope_line *line, const char *keyword, const char **value, size_t *len);

#endif
