/* ISC licence, see LICENSE. */
#ifndef MSA_DELIVER_MAILDIR_H
#define MSA_DELIVER_MAILDIR_H

#include "deliver/delivery.h"

/*
 * Final delivery (RFC 5321 4.4) to Maildirs, one for each mailbox, below one directory: MAILBOX/tmp, MAILBOX/new,
 * MAILBOX/cur, made where they are missing. MAILBOX is the address with its ASCII letters in lower case, so Alice@ and
 * alice@ are one. A file is the Return-Path field and the message with LF ends.
 */

enum { MAILDIR_NAME_MAX = 255 }; /* octets of MAILBOX; file systems allow as many */

/*
 * The name of the mailbox that a path (without brackets) stands for, NUL-ended. 0, or -1: it cannot be the name of one
 * directory here: empty, with a slash or a control character, beginning with a dot.
 */
int maildir_name(char name[MAILDIR_NAME_MAX + 1], const char *path, size_t len);

/*
 * Deliver d below the directory dir to all of its lines that are pending, and answer each of them. Every recipient's
 * file is complete and on the disk in tmp before the first goes to new. Where !d->partial it is all or none: what was
 * delivered is taken back when a later one fails. No file stays in tmp.
 */
void maildir_deliver(struct delivery *d, int dir);

/* Only answer: for whom there can be a mailbox. Nothing is delivered, and the message is not looked at. */
void maildir_check(struct delivery *d);

#endif
