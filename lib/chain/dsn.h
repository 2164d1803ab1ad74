/* ISC licence, see LICENSE. */
#ifndef MSA_CHAIN_DSN_H
#define MSA_CHAIN_DSN_H

#include <stdbool.h>
#include <stddef.h>

#include "chain/envelope.h"
#include "msa/buf.h"

/* RFC 3461's parameters in an envelope: NOTIFY and ORCPT of a recipient, RET and ENVID of the message. */
enum dsn_notify {
	DSN_SUCCESS = 1 << 0,
	DSN_FAILURE = 1 << 1,
	DSN_DELAY = 1 << 2,
};

/* Returns a recipient's set of DSN_*, 0 for NEVER. Without NOTIFY it is FAILURE and DELAY, as RFC 3461 4.1 says. */
unsigned dsn_notify(const struct envelope_line *rcpt);

/* Returns true for RET=FULL: a report of a failure should return the whole message. */
bool dsn_wants_full(const struct envelope_line *mail);

/*
 * Decode xtext (RFC 3461 4), an ENVID or the address of an ORCPT, and append it as a report shows it. An octet that a
 * field must not contain becomes "?". A "+" without two hexadecimal digits stays.
 * Returns 0, or -1 with errno set (ENOMEM).
 */
int dsn_decode(struct buf *out, const char *xtext, size_t len);

/*
 * Append " ORCPT=" with an address in canonical form, the original recipient of a line that has no ORCPT. Nothing is
 * appended if the value would be longer than RFC 3461 allows. Returns 0, or -1 with errno set (ENOMEM).
 */
int dsn_add_orcpt(struct buf *out, const char *path, size_t n);

/* Returns true if the envelope has any of the four parameters. */
bool dsn_is_asked(const struct envelope *e);

/*
 * Append the envelope without these parameters, for a next hop that does not support them.
 * Returns 0, or -1 with errno set (ENOMEM).
 */
int dsn_strip(struct buf *out, const struct envelope *e);

#endif
