/* ISC licence, see LICENSE. */
#ifndef DATA_H
#define DATA_H

#include <stdbool.h>
#include <stddef.h>

#include "message.h"

/*
 * The text of a message as it comes in: by DATA, ended by CR LF "." CR LF and nothing else (RFC 5321 4.1.1.4), or by
 * BDAT, counted (RFC 3030). Both look for what may not stand in a text: a bare CR, a bare LF, a NUL. Those end no
 * line and are taken like other octets, and the flag says that the message is to be refused after its true end, so
 * nothing behind them is ever taken for commands.
 */
enum data_state { DATA_START, DATA_LINE, DATA_CR, DATA_DOT, DATA_DOT_CR };

/* Zero-initialised it stands before the first octet. */
struct data {
	enum data_state state;
	bool bare; /* a bare CR, a bare LF or a NUL was seen */
};

/*
 * Take the n octets in, without dot-stuffing, into m (NULL: nowhere). *used: how many were of the message; what is
 * behind them is the next command. 1: the end was seen. 0: more is wanted. -1: message_add's errno; call again with
 * m NULL and the rest to get to the end.
 */
int data_dots(struct data *d, const char *in, size_t n, size_t *used, struct message *m);

/*
 * Take all n octets of a BDAT chunk into m. text: not BODY=BINARYMIME, so look for bare ones; last: a CR at the end is
 * one. 0, or -1 with message_add's errno (all n are dealt with).
 */
int data_octets(struct data *d, const char *in, size_t n, bool text, bool last, struct message *m);

#endif
