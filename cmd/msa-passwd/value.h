/* ISC licence, see LICENSE. */
#ifndef VALUE_H
#define VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "msa/buf.h"

/*
 * A user's value in the store (userdb.h): "!" first if the user is locked, then lines "label:credential". Each function
 * appends the value that it makes of old to value, and returns 0, or -1 with errno ENOMEM.
 */

/*
 * The credential of a label: in the place of the old one; else first if it is main, because SCRAM takes the first; else
 * last.
 */
int value_set(struct buf *value, const struct buf *old, const char *label, const char *credential);

/* Without the label. Sets *found if there was one. */
int value_delete(struct buf *value, const struct buf *old, const char *label, bool *found);

/* Locked, or not locked. */
int value_lock(struct buf *value, const struct buf *old, bool locked);

/*
 * Step through the lines of a value: *at starts at 0. Returns the next line, *n octets without its LF, or NULL if no
 * line is left.
 */
const char *value_line(const struct buf *value, size_t *at, size_t *n);

#endif
