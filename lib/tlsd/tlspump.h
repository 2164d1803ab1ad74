/* ISC licence, see LICENSE. */
#ifndef MSA_TLSD_TLSPUMP_H
#define MSA_TLSD_TLSPUMP_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/log.h"
#include "chain/facts.h"
#include "net/fdpair.h"
#include "smtp/lastreply.h"
#include "smtp/reply.h"
#include "smtp/verb.h"
#include "tlsd/cleartext.h"
#include "tlsd/link.h"

/*
 * One connection of tlsd, from the dialogue in the clear to the last octet, as a state machine that never blocks:
 *
 *   CLEAR      the dialogue before TLS
 *   PREPARING  STARTTLS was read: can there be a next stage?                    -> TLSPUMP_PREPARE
 *   OFFERED    220 is being written
 *   HANDSHAKE
 *   STARTING   the next stage is to be started, with what TLS proved           -> TLSPUMP_START
 *   GREETING   the client's input is held until the next stage's greeting is complete; 220 is swallowed (the client
 *              had its 220 in the clear). With implicit TLS there is no such state: the greeting is the client's
 *   ANSWER     another greeting: it waits to be the answer to the client's first command
 *   PUMP       blind, both ways
 *   CLOSING    the last words, then close_notify
 *   LINGER     our direction is closed; what still comes is read, since closing over it would reset the connection
 *              and take our last words with it
 *
 * Where the client's certificate is required and none was shown, CLEAR comes again, under TLS, and refuses all.
 * TLS offered only (optional): it begins with STARTING, without what TLS proves, and a stage in the clear:
 *
 *   FIRST      its greeting is waited for
 *   COMMAND    its replies go out; the client's next command is looked at: STARTTLS, and then PREPARING as above, which
 *              ends that stage; PASS and REPLY for a few others; or PUMP
 *   PASS       the command goes to the stage
 *   REPLY      its reply is waited for
 *
 * What its writing turned on: an end without close_notify is not a clean one, but the next stage's output still goes
 * out.
 *
 * It is all in the struct: a process may hold thousands. One that waits holds no buffers.
 */
struct tlspump;
struct tlspump_spare { /* zero-initialised at first; at the end the caller frees what is in it */
	struct buf raw, up, down;
};
struct tlspump_conf { /* of all connections; outlives them */
	struct tls *tls;  /* a configured server context; NULL with optional: STARTTLS cannot be offered */
	const char *host; /* our name in greeting and EHLO */
	bool implicit;    /* TLS first */
	bool optional;    /* TLS offered and not required; not with implicit */
	bool certificate; /* a client's is required; tls asks for it */
	bool lmtp;
	int command_ms;   /* the wait for a command in the clear (twice that for all of them, or NOOPs would go on for ever)
	                   * and for the one that gets a greeting other than 220 */
	int handshake_ms; /* the whole handshake */
	int greeting_ms;  /* for the next stage's greeting, or its reply to a command that was passed on, to be complete */
	int stall_ms;     /* for a client that takes no output, or a next stage that does not end after its input did */
	int linger_ms;
	void (*forget)(struct tlspump *p, void *arg); /* NULL, or called before the next stage's socket is closed */
	void *forget_arg;
	struct tlspump_spare *spare; /* NULL, or buffers that all connections use in turn */
};

enum {
	TLSPUMP_FDS = 3,
	TLSPUMP_GREETING_MAX = 4096, /* octets of a greeting; RFC 5321 4.5.3.1.5 allows 512 a line */
};

enum tlspump_need {
	TLSPUMP_WAIT,    /* for an event of tlspump_poll, or the deadline */
	TLSPUMP_AGAIN,   /* there is more to move; others first */
	TLSPUMP_PREPARE, /* call tlspump_prepared */
	TLSPUMP_START,   /* call tlspump_started */
	TLSPUMP_DONE,    /* call tlspump_close */
};

struct tlspump {
	int64_t deadline_ms; /* step again then, whatever happens; 0: none */

	/* The rest is the module's own. */
	const struct tlspump_conf *conf;
	const struct log *log;
	const char *peer;
	int state;
	int64_t clear_until_ms; /* the end of the dialogue in the clear */
	struct cleartext clear;
	struct tlslink net;        /* the client */
	struct fdpair app;           /* the next stage */
	struct buf up, down;       /* to the next stage; to the client */
	size_t up_pos, down_pos;
	size_t line;               /* octets of up that are the command being passed on */
	enum verb verb;            /* its verb */
	bool up_eof;               /* the client's input ended */
	bool up_shut;              /* and the next stage was told */
	bool app_deaf;             /* the next stage reads no more */
	bool app_eof;              /* the next stage's output ended */
	bool pipelined;            /* input behind STARTTLS */
	struct lastreply tail;          /* of the output */
	int64_t start_ms;
	uint64_t in_octets, out_octets;
	const char *end;           /* why it ended, for the log; a constant */
};

/*
 * Begin with the client at in and out (sockets or not, blocking or not; they stay the caller's). log, and peer (the
 * client's address for the log, or NULL), are borrowed. 0, or -1 with errno ENOMEM and p closed.
 */
int tlspump_open(struct tlspump *p, const struct tlspump_conf *conf, int in, int out, const struct log *log,
    const char *peer);

/* Do all that can be done now. */
enum tlspump_need tlspump_step(struct tlspump *p);

/* What a step that said TLSPUMP_WAIT waits for. Fills fds and returns how many there are. */
size_t tlspump_poll(const struct tlspump *p, struct pollfd fds[TLSPUMP_FDS]);

/* Events (POLLIN, POLLOUT, POLLHUP ...) were seen on fd; edges are enough. Then step. */
void tlspump_event(struct tlspump *p, int fd, short events);

/* ok: a next stage can be had; else 454 4.7.0, and the dialogue goes on. The caller has logged why. */
void tlspump_prepared(struct tlspump *p, bool ok);

/* app: a stream socket to the next stage, p's from now on. -1: it cannot be had: 421 4.3.0. */
void tlspump_started(struct tlspump *p, int app);

/* The next stage that was started will not serve this session: r instead, as long as nothing has come from it. */
void tlspump_refused(struct tlspump *p, enum reply r);

/* The service ends: a client still in the clear is told so, others go on. */
void tlspump_stop(struct tlspump *p);

/* The next stage's greeting lies behind it, and with it the handshake, unless TLS is optional. */
bool tlspump_is_through(const struct tlspump *p);

/* It is under TLS: TLSPUMP_START means the stage behind it, not the one in the clear. */
bool tlspump_is_secure(const struct tlspump *p);

/* Add what TLS proved: SSL_PROTOCOL and so on; in the clear nothing. 0, or -1 with errno ENOMEM. */
int tlspump_facts(const struct tlspump *p, struct facts *f);

/* Free what p owns; the next stage's socket is closed. */
void tlspump_close(struct tlspump *p);

#endif
