/* ISC licence, see LICENSE. */
#ifndef MSA_TLSD_PUMP_H
#define MSA_TLSD_PUMP_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "chain/facts.h"
#include "msa/buf.h"
#include "net/fdpair.h"
#include "smtp/lastreply.h"
#include "smtp/reply.h"
#include "smtp/verb.h"
#include "tlsd/cleartext.h"
#include "tlsd/link.h"
#include "tlsd/proof.h"
#include "tlsd/veil.h"

/*
 * One connection of tlsd, from the dialogue in the clear to the last octet, as a state machine that never blocks.
 *
 * TLS is required:
 *   CLEAR      our dialogue with the client, before TLS
 *   OFFERED    the 220 to STARTTLS is being written
 *   HANDSHAKE
 *   STARTING   the next stage must be started
 *   HANDING    it could not be started yet; STARTING again after PUMP_RETRY_MS
 *   GREETING   the next stage's greeting is not complete; the client's input is held. A 220 is swallowed, because the
 *              client had its 220 in the clear. With implicit TLS this state is skipped: the greeting is the client's
 *   ANSWER     the greeting was not 220; it will answer the client's first command
 *   PUMP       octets pass both ways; under TLS an offer of STARTTLS does not (tlsd/veil.h)
 *   CLOSING    the last reply, then close_notify
 *   LINGER     our direction is closed, the client's input is discarded. Closing with unread input would reset the
 *              connection, and the client could lose the last reply
 *   DONE
 *
 * If a client certificate is required and the client has none, CLEAR follows HANDSHAKE and refuses every command.
 *
 * TLS is optional: a first stage is started in the clear, and a fresh one after STARTTLS.
 *   FIRST      the first stage's greeting is not complete
 *   COMMAND    replies go out; the client's next command is looked at. STARTTLS ends the first stage and leads to
 *              OFFERED, a few commands lead to PASS, and anything else to PUMP
 *   PASS       the command is being written to the first stage
 *   REPLY      its reply is not complete
 *
 * Until the client has proved that it may send mail (tlsd/proof), early_until_ms ends the connection in any state, and
 * pump_dismiss may: with 421, if a reply may stand there.
 *
 * A client that ends the connection without close_notify is logged, and the next stage's output still goes out.
 *
 * All state is in the struct, since a process may hold thousands of them. A connection that waits holds no empty
 * buffer.
 */
struct pump;

/* Buffers that all connections of a process use in turn. Zero-initialise; free what is in it at the end. */
struct pump_spare {
	struct buf raw, up, down;
};

enum {
	PUMP_FDS = 3,
	PUMP_GREETING_MAX = 4096, /* octets of a greeting; RFC 5321 4.5.3.1.5 allows 512 a line */
	PUMP_RETRY_MS = 50,
};

enum { PUMP_LATER = -2, PUMP_REFUSED = -1 }; /* of start */

/* What all connections have in common; outlives them. */
struct pump_conf {
	struct tls *tls;  /* a configured server context; NULL, only with optional: STARTTLS is not offered */
	struct authority authority; /* of clients' certificates; as old as tls */
	const char *host; /* our name in greeting and EHLO */
	bool implicit;    /* TLS first */
	bool optional;    /* TLS is offered and not required; not with implicit */
	bool certificate; /* the client must have one; tls asks for it */
	bool lmtp;
	int command_ms;   /* for a command in the clear (twice that for all of them, or NOOPs could go on for ever), and
	                   * for the command that a greeting other than 220 answers */
	int handshake_ms; /* for the whole handshake */
	int greeting_ms;  /* for the next stage's greeting, or the first stage's reply, to be complete */
	int stall_ms;     /* for a client that takes no output, or a next stage that does not end after its input did */
	int linger_ms;
	int early_ms;     /* for the client to prove that it may send mail; 0: no limit */

	/* These are called within pump_step, with the owner given to pump_open. */

	/*
	 * STARTTLS was read. Returns true if a next stage can be started, or false, with the reason logged: the client gets
	 * 454 4.7.0 and may go on in the clear. NULL: always true.
	 */
	bool (*prepare)(void *owner);
	/*
	 * Start the next stage (pump_is_secure: the one under TLS). Returns a stream socket to it, which the pump then owns;
	 * PUMP_LATER to be called again in PUMP_RETRY_MS; or PUMP_REFUSED, with the reason logged: *r, 421 4.3.0 at first,
	 * is the client's last reply.
	 */
	int (*start)(void *owner, enum reply *r);
	/* The next stage's socket is about to be closed. NULL: nothing is called. */
	void (*forget)(void *owner);
	/* The client has proved that it may send mail, and does not know it yet. NULL: nothing is called. */
	void (*proved)(void *owner);

	struct pump_spare *spare; /* NULL: none */
};

enum pump_need {
	PUMP_WAIT,  /* for an event of pump_poll, or the deadline */
	PUMP_AGAIN, /* there is more to move: step again, other connections first */
	PUMP_DONE,  /* the connection is over: call pump_close */
};

struct pump {
	int64_t early_until_ms; /* of clock_ms; the owner may bring it forward; 0: none */

	/* The rest is the module's own. */
	int64_t deadline_ms;    /* of the state; 0: none */
	const struct pump_conf *conf;
	void *owner;
	const struct log *log;
	const char *peer;
	int state;
	int64_t clear_until_ms; /* the end of the dialogue in the clear */
	struct cleartext clear;
	struct tlslink net;     /* the client */
	struct fdpair app;      /* the next stage */
	struct buf up, down;    /* to the next stage; to the client */
	size_t up_pos, down_pos;
	size_t line;            /* octets of up that are the command being passed on */
	enum verb verb;         /* of that command */
	bool up_eof;            /* the client's input ended */
	bool up_shut;           /* and so did the next stage's */
	bool app_deaf;          /* the next stage reads no more */
	bool app_eof;           /* the next stage's output ended */
	bool pipelined;         /* the client sent something after STARTTLS */
	struct veil veil;       /* on the output, under TLS */
	bool at_once;           /* wait for nothing more: dismissed */
	struct lastreply tail;  /* of the output */
	struct proof proof;
	int64_t start_ms;
	uint64_t in_octets, out_octets;
	bool heard;             /* the client has sent an octet before TLS */
	const char *end;        /* why the connection ended, for the log; a constant */
};

/*
 * Begin with the client at in and out, which may be sockets or not, blocking or not, and stay the caller's. owner, log,
 * and peer (the client's address for the log, or NULL) are borrowed. Returns 0, or -1 with errno set (ENOMEM) and p
 * closed.
 */
int pump_open(struct pump *p, const struct pump_conf *conf, void *owner, int in, int out, const struct log *log,
    const char *peer);

/* Do everything that can be done without waiting. */
enum pump_need pump_step(struct pump *p);

/* Returns when to step again without any event, of clock_ms; 0: never. */
int64_t pump_deadline_ms(const struct pump *p);

/* Fill fds with what p waits for after PUMP_WAIT. Returns their number. */
size_t pump_poll(const struct pump *p, struct pollfd fds[PUMP_FDS]);

/* Note events (POLLIN, POLLOUT, POLLHUP ...) on fd; edges are enough. Then call pump_step. */
void pump_event(struct pump *p, int fd, short events);

/* The next stage that was started will not serve this session: the client gets r, unless the stage has spoken. */
void pump_refuse(struct pump *p, enum reply r);

/* The service ends: a client in our dialogue in the clear gets 421 4.3.2. Others go on. */
void pump_stop(struct pump *p);

/*
 * End the connection: r is the client's last reply, if one may stand there, and end is for the log. at_once: only what
 * can be sent without waiting is sent. Then call pump_step.
 */
void pump_dismiss(struct pump *p, enum reply r, const char *end, bool at_once);

/* Returns true under TLS. */
bool pump_is_secure(const struct pump *p);

/* Add what TLS proved to f (SSL_PROTOCOL and so on); nothing in the clear. Returns 0, or -1 with errno set (ENOMEM). */
int pump_facts(const struct pump *p, struct facts *f);

/* What became of a connection that is over. */
enum pump_fate {
	PUMP_HARMLESS, /* the client has proved that it may send mail, or has sent nothing and gone, as monitors do */
	PUMP_STALLED,  /* a deadline has ended it: the handshake's, or that of the proof */
	PUMP_BROKEN,   /* the handshake failed */
	PUMP_UNPROVED, /* it ended without a proof */
};
enum pump_fate pump_fate(const struct pump *p);

/* Free what p owns and close the next stage's socket. */
void pump_close(struct pump *p);

#endif
