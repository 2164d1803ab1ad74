/* ISC licence, see LICENSE. */
#ifndef MSA_DELIVER_MAILDIR_H
#define MSA_DELIVER_MAILDIR_H

#include "deliver/delivery.h"

/*
 * Final delivery (RFC 5321 4.4) to Maildirs below one directory: MAILBOX/tmp, MAILBOX/new and MAILBOX/cur, made if
 * missing. MAILBOX is the address with its ASCII letters in lower case, so Alice@ and alice@ are one mailbox. A file is
 * the Return-Path field and the message, with LF ends.
 */

enum { MAILDIR_NAME_MAX = 255 }; /* octets of MAILBOX: the limit of common file systems */

/*
 * Set name to the mailbox of a path (given without brackets), NUL-ended. Returns 0, or -1: the path cannot name a
 * directory here, because it is empty or too long, contains a slash or a control character, or begins with a dot.
 */
int maildir_name(char name[MAILDIR_NAME_MAX + 1], const char *path, size_t len);

/*
 * Deliver d, below the directory dir, to each of its pending lines, and answer each line. Every file is complete and on
 * the disk in tmp before the first one moves to new. If !d->partial, all lines are delivered or none: when one fails,
 * the files of the others are removed again. No file stays in tmp.
 */
void maildir_deliver(struct delivery *d, int dir);

/* Answer each pending line by whether it can have a mailbox. Delivers nothing and does not read the message. */
void maildir_check(struct delivery *d);

#endif
