/* ISC licence, see LICENSE. */
#ifndef MSA_DELIVER_WIRE_H
#define MSA_DELIVER_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "msa/buf.h"
#include "net/helper.h"
#include "net/lineio.h"
#include "smtp/reply.h"

/*
 * The connection of a client (client.h) to its server: read replies, and close the connection when something fails.
 *
 * Every failure closes the connection, is logged once, and leaves in *r the reply for each recipient that has none yet.
 * `at` names the step that failed, for the log: a verb, or "connect", "greeting", "TLS", "text", "end of text".
 */
enum {
	WIRE_LINE_MAX = 65536,  /* octets of a reply line; RFC 5321 4.5.3.1.5 allows 512, some servers send more */
	WIRE_REPLY_MAX = 65536, /* octets of all lines of one reply */
	WIRE_SLICE_MS = 1000,   /* a read or write that blocks returns after this time at the latest */
};

/* Where the session stands. Ordered: all states after WIRE_GONE are open. */
enum wire_state {
	WIRE_CLOSED,
	WIRE_GONE,    /* closed: the server had gone while the session was replaceable; nothing was logged or answered */
	WIRE_FRESH,   /* no message has used the session yet */
	WIRE_KEPT,    /* messages have used it; no mail transaction is open */
	WIRE_IN_MAIL, /* a mail transaction is open: RSET must precede the next MAIL */
};

/* Zero-initialised: closed. */
struct wire {
	enum wire_state state;
	bool replaceable;      /* if the server has gone, another session can take the message: see WIRE_GONE */
	int fd;                /* valid while open */
	struct helper tls;     /* the tlsc that fd leads to, if TLS is on */
	const struct log *log; /* of the current call; borrowed */
	const char *to;        /* the server's address, for the log; borrowed */
	struct buf line;       /* the reply line that is being read */
	struct lineio conn;    /* last: it is large, and most of it is never written */
};

/* Start a session over fd, or continue it there; fd becomes w's. Unread input and unsent output are forgotten. */
void wire_open(struct wire *w, int fd, int64_t deadline_ms);
bool wire_is_open(const struct wire *w);

/* Close without another word, and free what w owns. tlsc gets grace_ms to send what it holds. May be closed already. */
void wire_close(struct wire *w, int grace_ms);

/*
 * Read the next reply into *r; what *r held is freed. wire_hear_any accepts every reply. wire_hear also closes the
 * session after 421 and 3yz.
 * Returns 0, or -1: the session is closed, and *r is the reply for each recipient that has none (empty if WIRE_GONE).
 */
int wire_hear_any(struct wire *w, const char *at, struct reply_foreign *r);
int wire_hear(struct wire *w, const char *at, struct reply_foreign *r);

/* Returns true if a reply, or the end of the connection, has arrived already. A later wire_hear reads it. */
bool wire_has_input(struct wire *w);

/*
 * Call this before a command whose reply could be confused with a reply that nobody asked for. Returns true if the
 * server has sent something: then the session is closed, and *r is as after wire_hear.
 */
bool wire_is_out_of_step(struct wire *w, const char *at, struct reply_foreign *r);

/*
 * Close the session, log "failed" with reason and text (NULL: none), and set *r to reply. wire_fail_garbage logs the
 * start of w->line as the text. wire_fail_line is for a result that is not LINE_OK; LINE_ERROR uses errno.
 */
void wire_fail(struct wire *w, const char *at, enum reply reply, const char *reason, const char *text,
    struct reply_foreign *r);
void wire_fail_memory(struct wire *w, const char *at, struct reply_foreign *r);
void wire_fail_garbage(struct wire *w, const char *at, const char *reason, struct reply_foreign *r);
void wire_fail_line(struct wire *w, const char *at, enum line_result l, struct reply_foreign *r);

#endif
