/* ISC licence, see LICENSE. */
#ifndef MSA_STAGE_HANDOVER_H
#define MSA_STAGE_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

#include <sys/types.h>

#include "stage/call.h"

/*
 * Giving a call to a resident stage, chain(7) RESIDENT: one SOCK_STREAM connection to its socket a call. On it, in
 * the byte order of the machine: the length of the facts (32 bits), the kind of call and the number of descriptors
 * (16 bits each), then the facts as NAME=value NUL. The descriptors (0, 1, and 3 for a message) ride on the first
 * octet. A session call is acknowledged with one octet as soon as a worker has it; a message call is answered by its
 * verdict alone.
 */
enum {
	HANDOVER_FACTS_MAX = 65536, /* octets */
	HANDOVER_NAMES_MAX = 100,   /* facts */
	HANDOVER_WAIT_MS = 5000,    /* for the receiver to take a call, and for the caller to say it */
};

/*
 * Give call to the resident at path, which runs as root, as ourselves, or as the owner of the socket where its
 * directory is not open to everybody. Only facts of chain(7) go; the caller keeps its descriptors. wait_ms bounds the
 * wait in its queue; 0: none, and EAGAIN says that the queue is full. The descriptor on which it is acknowledged, or -1
 * with errno (E2BIG: over a limit; EPERM: listened by somebody else; ETIMEDOUT).
 */
int handover_call(const char *path, const struct call *call, enum call_kind kind, int wait_ms);

/*
 * Receive a call of the given kind into call, which is empty but for its log. Facts that chain(7) does not name are
 * passed over: what is not the peer's business (PATH, LD_PRELOAD, SASL_PATH ...) is the receiver's own. call->facts
 * becomes this process's environment, less all that chain(7) names, and what came. The descriptors are call's.
 * wait_ms bounds it all; *uid is the caller's, as far as known.
 * 0, or -1 with errno (EPROTO: not a call; ETIMEDOUT; EPERM: the caller is neither root, nor ourselves, nor one of
 * allow).
 */
struct handover_allow {
	const uid_t *uid;
	size_t n;
};
int handover_receive(int fd, struct call *call, enum call_kind kind, const struct handover_allow *allow, int wait_ms,
    uid_t *uid);

/* What errno says of a call, to who made it (caller) or to who was called. */
const char *handover_why(int error, bool caller);

/* Acknowledge a session call; wait for it, or (0) only look. 0, or -1 with errno (EAGAIN: not yet); else the other side
 * cannot or need not serve it. */
int handover_acknowledge(int fd);
int handover_acknowledged(int fd, int wait_ms);

#endif
