/* ISC licence, see LICENSE. */
#ifndef REWRITING_H
#define REWRITING_H

#include <stdint.h>

#include "auth/senders.h"
#include "mail/edits.h"
#include "mail/header.h"
#include "mapping.h"
#include "msa/buf.h"
#include "msa/envelope.h"

/* What rewrite(8) changes of a message: its header by edits, its envelope line by line. */
struct rewriting {
	const struct mapping *mapping; /* without a table where senders is set */
	struct aliases_asked aliases;  /* of domains; its aliases NULL: none are resolved */
	const struct senders *senders; /* NULL: the sender's addresses are not forced */
	const char *senders_path;      /* their table's, for the log */
	struct addr own; /* replaces an address that the user has no right to; len 0: no such address */
	bool add_orcpt;                /* the next hop offers DSN */

	struct edits edits;
	bool sender;          /* the reverse-path changes */
	size_t rcpts;         /* recipients that change */
	uint32_t fields;      /* fields that change, as bits of enum field_id */
	uint32_t unread;      /* fields that stay because they are not valid lists of addresses */
	bool is_signed;       /* the header has a DKIM-Signature */
	struct buf addresses; /* for the log: "old>new", separated by spaces */
	struct buf envelope;  /* the text of the new envelope, if sender or rcpts is set */
	char why[600];        /* REWRITING_INVALID: for the log; REWRITING_REFUSED, REWRITING_NO_RIGHT: the reply, ASCII */
};

enum rewriting_result {
	REWRITING_OK,
	REWRITING_REFUSED,  /* 554 5.6.0 */
	REWRITING_NO_RIGHT, /* 550 5.7.1 */
	REWRITING_INVALID, /* a record of a table is invalid */
	REWRITING_ERROR,   /* errno is set: ENOMEM; EPROTO: a table is damaged */
};

/* Examine the header; call this first. */
enum rewriting_result rewriting_of_header(struct rewriting *c, const struct header *h);
enum rewriting_result rewriting_of_envelope(struct rewriting *c, const struct envelope *e);

/* Set *to to what becomes of a recipient's address. Returns true if the address changes. */
bool rewriting_of_rcpt(struct rewriting *c, const struct envelope_line *rcpt, struct addr *to);

/* A table of senders cannot be used; errno is set. Sets c->why if a record is invalid. Returns the result. */
enum rewriting_result rewriting_blame(struct rewriting *c, const char *path, const struct usertable *t);

void rewriting_free(struct rewriting *c);

#endif
