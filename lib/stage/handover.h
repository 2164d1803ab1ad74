/* ISC licence, see LICENSE. */
#ifndef MSA_STAGE_HANDOVER_H
#define MSA_STAGE_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

#include <sys/types.h>

#include "stage/call.h"

/*
 * Handing a call over to a resident stage, chain-resident(7) HANDOVER PROTOCOL. Each call is one SOCK_STREAM connection
 * to the resident's socket. The caller sends, in the machine's byte order: the length of the facts (32 bits), the kind
 * of the call (16 bits), the number of descriptors (16 bits), then the facts, each as NAME=value NUL. The descriptors
 * 0, 1 and, for a message, 3 are sent with the first octet. A worker acknowledges a session with one octet as soon as
 * it has the call. The only answer to a message is its verdict.
 */
enum {
	HANDOVER_FACTS_MAX = 65536, /* octets */
	HANDOVER_NAMES_MAX = 100,   /* facts */
	HANDOVER_WAIT_MS = 5000,    /* for the caller to send a call, and for a worker to acknowledge a session */
};

/*
 * Hand call over to the resident at path. The resident must run as root, as our own user, or as the owner of the socket
 * in a directory that is not writable by everybody. Only the facts that chain-facts(7) names are sent. The caller keeps
 * its descriptors. wait_ms is the longest wait for a place in the resident's queue (0: do not wait).
 * Returns the descriptor on which a session is acknowledged, or -1 with errno set (EAGAIN: the queue is full and
 * wait_ms is 0; ETIMEDOUT; E2BIG: the facts are over a limit; EPERM: another user runs the resident; ENAMETOOLONG:
 * path).
 */
int handover_call(const char *path, const struct call *call, enum call_kind kind, int wait_ms);

/*
 * Look whether a resident could be called at path: a socket is there, we may connect to it, and somebody listens. The
 * resident sees nothing of this. Returns NULL, or why not, valid until the next call of strerror(3).
 */
const char *handover_probe(const char *path);

/*
 * Receive a call of the given kind into call, which is empty except for its log. Only facts that chain-facts(7) names
 * are kept: other variables (PATH, LD_PRELOAD, SASL_PATH ...) are the receiver's own. call owns the descriptors that
 * came. All of it must arrive within wait_ms. *uid is the caller's uid, or (uid_t)-1 if it is unknown.
 * Returns 0, or -1 with errno set (EPROTO: not a valid call; ETIMEDOUT; ENOMEM; EPERM: the caller is neither root, nor
 * our own user, nor one of allow).
 */
struct handover_allow {
	const uid_t *uid;
	size_t n;
	const gid_t *gid; /* members of these groups too */
	size_t ngid;
};
int handover_receive(int fd, struct call *call, enum call_kind kind, const struct handover_allow *allow, int wait_ms,
    uid_t *uid);

/* Returns the text for an errno of handover_call and handover_acknowledged (caller), or of handover_receive. */
const char *handover_why(int error, bool caller);

/* Acknowledge a session call. Returns 0, or -1 with errno set: the caller is gone, so do not serve the call. */
int handover_acknowledge(int fd);

/*
 * Wait at most wait_ms for the acknowledgement (0: do not wait). Returns 0, or -1 with errno set: EAGAIN (wait_ms is 0
 * and none has come yet), or any other value, after which the resident does not serve the call (ETIMEDOUT; ECONNRESET).
 */
int handover_acknowledged(int fd, int wait_ms);

#endif
