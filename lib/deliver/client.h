/* ISC licence, see LICENSE. */
#ifndef MSA_DELIVER_CLIENT_H
#define MSA_DELIVER_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/log.h"
#include "deliver/delivery.h"
#include "net/helper.h"
#include "net/lineio.h"
#include "net/nexthop.h"
#include "smtp/ehlo.h"
#include "smtp/reply.h"

/*
 * The client side of SMTP (RFC 5321) and LMTP (RFC 2033): a session with a server, over which messages go one after
 * another.
 *
 *	client_open, client_deliver, client_quit                        one message
 *	client_open, client_deliver, client_deliver ..., client_quit    a session that is kept, as long as s->open
 *
 * Every wait ends at a deadline. Nothing that a server says or leaves unsaid is taken for a yes: a reply that comes
 * unasked, or that is none, ends the session. Between messages s knows nothing of any of them.
 *
 * TLS is tlsc's business and SASL is saslc's, each a program of its own that is started when a session is opened: a
 * client that needs neither links neither, and none knows a password. Where TLS is asked for nothing but EHLO and
 * STARTTLS is ever said without it.
 */
enum {
	CLIENT_LINE_MAX = 65536,  /* octets of a line of a reply; RFC 5321 4.5.3.1.5 has 512, not everybody keeps to it */
	CLIENT_REPLY_MAX = 65536, /* octets of all lines of one reply */
	CLIENT_WINDOW = 64,       /* commands pipelined at most before replies are read: theirs fit in any socket's buffer */
	CLIENT_SLICE_MS = 1000,   /* a read or write that waits by itself looks at the clock so often */
};

enum client_tls { CLIENT_CLEAR, CLIENT_STARTTLS, CLIENT_IMPLICIT };
enum client_auth_param { CLIENT_AUTH_NONE, CLIENT_AUTH_NULL, CLIENT_AUTH_USER };

/* What all sessions of a program have in common; outlives them. */
struct client_conf {
	bool lmtp;
	enum client_tls tls;
	bool loopback;           /* CLIENT_CLEAR: only to this machine */
	const char *name;        /* that the certificate must be for; NULL: the host's */
	const char *cafile;      /* NULL: the system's */
	const char *fingerprint; /* of the certificate, which is then trusted whatever is in it; NULL: it must be verified */
	int credentials;         /* the file for saslc; -1: no AUTH */
	enum client_auth_param auth_param; /* AUTH= of MAIL, where AUTH is offered: none, <>, or SMTPAUTHUSER's mailbox */
	bool check;              /* deliver nothing: the reply to RCPT is the recipient's */
};

/* Zero-initialised it is closed. */
struct client {
	const struct client_conf *conf;
	bool open;
	int fd;                /* while open */
	struct helper tls;     /* which fd leads to, where there is TLS */
	bool is_private;       /* REQUIRETLS can be asked for: verified TLS, or a Unix socket */
	bool kept;             /* messages went before */
	bool spare;            /* nothing was heard of this message yet, and there is another way: a new session or host */
	bool stale;            /* it was spare, and the server had gone */
	bool begun;            /* MAIL was accepted, and the transaction did not end with the text: RSET before the next */
	const struct log *log; /* of the call in hand; borrowed */
	const char *to;        /* the address as text; borrowed */
	struct ehlo offer;     /* what the server answered to EHLO or LHLO */
	char host[NEXTHOP_HOST_MAX + 1]; /* what EHLO said that we are */
	struct buf line;       /* the line of a reply being read */
	struct buf text;       /* a small message, while it is being delivered */
	struct lineio conn;
};

/*
 * Connect, take the greeting, say EHLO host, see to TLS and AUTH as conf has it. 0; or -1: s is closed, the reason was
 * logged, and *refusal (owned by the caller, not translated; it starts empty) is what to tell everybody: 451 4.7.5
 * where TLS cannot be had.
 */
int client_open(struct client *s, const struct client_conf *conf, const struct nexthop *n, const char *host,
    int64_t deadline_ms, const struct log *log, struct reply_foreign *refusal);

/*
 * Deliver d to all of its lines that are pending, and answer each of them. Where !d->partial a recipient that is
 * refused before the data ends it, and nothing is sent. 0; afterwards s->open says whether the session can be kept.
 * -1, of a session that was kept, or where there is another host: the server had gone before it answered to MAIL;
 * nobody was answered, s is closed, open another.
 */
int client_deliver(struct client *s, struct delivery *d, bool another);

/* Say QUIT where the session is open, wait for nothing, close. What s owns is freed. */
void client_quit(struct client *s);

/*
 * For the client's own modules (client.c the session, clientauth.c AUTH, mailing.c a message).
 * The next reply, to at (a verb), into *r. client_hear_any takes whatever it says; client_hear ends the session at 421
 * and 3yz too. 0; or -1: there is none, or it was the last of the session, and *r is what everybody hears who has no
 * answer yet (but where s->stale).
 */
int client_hear_any(struct client *s, const char *at, struct reply_foreign *r);
int client_hear(struct client *s, const char *at, struct reply_foreign *r);

/* A reply has come that nobody asked for (yet), or the end. Looking takes it in, as the next to be heard. */
bool client_has_input(struct client *s);

/* It speaks unasked, so what it says next would be taken for the answer to something else. true: *r is the answer. */
bool client_is_out_of_step(struct client *s, const char *at, struct reply_foreign *r);

/* The session has ended at a step (a verb): say so in the log, and in *r what to tell whoever has no answer. */
void client_fail(struct client *s, const char *at, enum reply reply, const char *reason, const char *text,
    struct reply_foreign *r);
void client_fail_memory(struct client *s, const char *at, struct reply_foreign *r);
void client_fail_garbage(struct client *s, const char *at, const char *reason, struct reply_foreign *r); /* s->line */
void client_fail_line(struct client *s, const char *at, enum line_result l, struct reply_foreign *r);

/* No more is said and heard in this session. */
void client_hang_up(struct client *s);

/* AUTH as the credentials and what the server offers allow, for a session at n. Result as client_open. */
int client_authenticate(struct client *s, const struct nexthop *n, struct reply_foreign *refusal);

#endif
