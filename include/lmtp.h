/* ISC licence, see LICENSE. */
#ifndef LMTP_H
#define LMTP_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "conn.h"
#include "delivery.h"
#include "ehlo.h"
#include "log.h"
#include "reply.h"

/*
 * The client side of LMTP (RFC 2033): a session with a server, over which messages go one after another.
 *
 *	lmtp_open, lmtp_deliver, lmtp_quit                    one message
 *	lmtp_open, lmtp_deliver, lmtp_deliver ..., lmtp_quit  a session that is kept, as long as s->open
 *
 * Every wait ends at a deadline. Nothing that a server says or leaves unsaid is taken for a yes: a reply that comes
 * unasked, or that is none, ends the session. Between messages s knows nothing of any of them.
 */
enum {
	LMTP_LINE_MAX = 65536,  /* octets of one line of a reply; RFC 5321 4.5.3.1.5 has 512, not everybody keeps to it */
	LMTP_REPLY_MAX = 65536, /* octets of all lines of one reply */
	LMTP_WINDOW = 64,       /* commands pipelined at most before replies are read: theirs fit in any socket's buffer */
	LMTP_HOST_MAX = 255,    /* of host:port */
};

struct lmtp_address {
	bool is_unix;
	const char *text;             /* as given, borrowed: the path, and what the log calls it */
	char host[LMTP_HOST_MAX + 1]; /* without brackets */
	char port[8];
};

/* Zero-initialised it is closed. */
struct lmtp {
	bool open;
	int fd;                /* while open */
	bool kept;             /* messages went before, and nothing was heard of this one yet */
	bool stale;            /* it was kept, and the server had gone meanwhile */
	bool begun;            /* MAIL was accepted, and the transaction did not end with the text: RSET before the next */
	const struct log *log; /* of the call in hand; borrowed */
	const char *to;        /* the address as text; borrowed */
	struct ehlo offer;     /* what the server answered to LHLO */
	char host[LMTP_HOST_MAX + 1]; /* what LHLO said that we are */
	struct buf line;       /* the line of a reply being read */
	struct buf text;       /* a small message, while it is being delivered */
	struct conn conn;
};

/* "host:port", "[IPv6]:port" or, with a "/" in it, the path of a Unix socket. 0, or -1: it is none. */
int lmtp_address(struct lmtp_address *a, const char *text);

/*
 * Connect (to each address of the name in turn), take the greeting, say LHLO host. 0; or -1: s is closed, the reason
 * was logged, and *refusal (owned by the caller, not translated; it starts empty) is what to tell everybody.
 * A name is looked up by the system's resolver, which has its own limit of time; numbers and paths need none.
 */
int lmtp_open(struct lmtp *s, const struct lmtp_address *a, const char *host, int64_t deadline_ms,
    const struct log *log, struct reply_foreign *refusal);

/*
 * Deliver d to all of its lines that are pending, and answer each of them. Where !d->partial a recipient that is
 * refused before the data ends it, and nothing is sent. 0; afterwards s->open says whether the session can be kept.
 * -1, of a kept session alone: the server had gone before it took MAIL; nobody was answered, s is closed, open another.
 */
int lmtp_deliver(struct lmtp *s, struct delivery *d);

/* Say QUIT where the session is open, wait for nothing, close. What s owns is freed. */
void lmtp_quit(struct lmtp *s);

#endif
