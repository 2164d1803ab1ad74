/* ISC licence, see LICENSE. */
#ifndef REDIS_H
#define REDIS_H

#include <stddef.h>
#include <stdint.h>

#include "msa/buf.h"

/* The protocol of Redis (RESP 2), as much of it as the counts need: commands, and replies that are short. */
enum {
	REDIS_NUMBERS = 64,   /* of a reply */
	REDIS_REPLY_MAX = 4096, /* octets of all replies of a connection */
};

struct redis_reply {
	enum redis_kind { REDIS_STATUS, REDIS_ERROR, REDIS_LIST } kind;
	const char *text; /* of a status or an error: len octets, borrowed */
	size_t len;
	int64_t number[REDIS_NUMBERS]; /* of a list, n of them */
	size_t n;
};

/* Append a command of argc words. Returns 0, or -1 with errno set (ENOMEM). */
int redis_command(struct buf *b, const char *const *argv, size_t argc);

/*
 * Read a reply at the start of p[0..n): a status, an error, or a list of integers. Returns its octets; 0: the reply is
 * not complete; -1: there is no such reply.
 */
long redis_reply(struct redis_reply *r, const char *p, size_t n);

#endif
