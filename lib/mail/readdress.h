/* ISC licence, see LICENSE. */
#ifndef MSA_MAIL_READDRESS_H
#define MSA_MAIL_READDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "mail/edits.h"
#include "mail/header.h"
#include "smtp/addr.h"

enum { READDRESS_LINE_MAX = 998 }; /* RFC 5322 2.1.1: octets of a line, without its end */

/*
 * Says what becomes of an address. Returns 1 with *to set, 0 if it stays, or -1 with errno set. to has a domain, and is
 * ASCII if from is.
 */
typedef int readdress_fn(void *arg, const struct addr *from, struct addr *to);

enum readdress_result {
	READDRESS_SAME,    /* no address changes */
	READDRESS_CHANGED,
	READDRESS_BAD,     /* the field is not a valid list of addresses, and stays as it is */
	READDRESS_LONG,    /* an address would change, but a line would be longer than READDRESS_LINE_MAX, folded too */
	READDRESS_ERROR,   /* errno is set: ENOMEM, or by fn */
};

/*
 * Collect the edits that change addresses in the field f of the header text. Only the local part, the domain or both
 * are replaced; comments, folding, routes, groups and names around them stay. A display name that is the address itself
 * becomes the new address, in quotes. An address without a domain stays. A line that would become too long is folded at
 * commas. After READDRESS_LONG or READDRESS_ERROR, do
 * not use the edits.
 */
enum readdress_result readdress_field(struct edits *e, const char *text, const struct field *f, readdress_fn *fn,
    void *arg);

#endif
