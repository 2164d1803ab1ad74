/* ISC licence, see LICENSE. */
#ifndef MSA_CHAIN_DSN_H
#define MSA_CHAIN_DSN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "chain/envelope.h"

/* What RFC 3461's parameters in an envelope ask for: NOTIFY and ORCPT of a recipient, RET and ENVID of the message. */
enum dsn_notify {
	DSN_SUCCESS = 1 << 0,
	DSN_FAILURE = 1 << 1,
	DSN_DELAY = 1 << 2,
};

/* A recipient's DSN_*; 0 for NEVER. Without NOTIFY, as RFC 3461 4.1 wants it: FAILURE and DELAY. */
unsigned dsn_notify(const struct envelope_line *rcpt);

/* RET=FULL was given: the whole message is wanted back with a report of a failure. */
bool dsn_wants_full(const struct envelope_line *mail);

/*
 * ENVID or ORCPT's address as a report has it: xtext (RFC 3461 4) decoded and appended. An octet that may not stand in
 * a field's text becomes "?"; of what is no xtext the "+" stays. 0, or -1 with errno ENOMEM.
 */
int dsn_decode(struct buf *out, const char *xtext, size_t len);

/* The envelope has any of the four. */
bool dsn_is_asked(const struct envelope *e);

/* Append the envelope without them: for a next hop that does not know them. 0, or -1 with errno ENOMEM. */
int dsn_strip(struct buf *out, const struct envelope *e);

#endif
