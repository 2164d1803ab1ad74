/* ISC licence, see LICENSE. */
#ifndef MSA_TLSD_LINK_H
#define MSA_TLSD_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "chain/facts.h"
#include "msa/buf.h"
#include "net/fdpair.h"

struct tls;

/*
 * The way to the client: in the clear, and through TLS once there was a handshake. Never waits. Any tls_* call may want
 * either direction; octets that libtls has decrypted do not wake poll, so after making room tlslink_read comes before
 * waiting.
 */
enum { TLSLINK_CHUNK = 65535 }; /* octets moved at once: about four TLS records; with buf's NUL a power of two */

struct tlslink {
	struct fdpair side;
	struct tls *tls;               /* owned; NULL: none yet */
	bool secure;                   /* the handshake is done: all goes through tls */
	struct buf raw;                /* from the client, encrypted */
	size_t raw_pos;
	short read_wants, write_wants; /* what reading and writing wait for: POLLIN, POLLOUT; 0: nothing */
	bool eof;                      /* the transport ended */
	int error;                     /* with this errno; 0: as it should */
};

/* in and out stay the caller's. */
void tlslink_open(struct tlslink *l, int in, int out);
void tlslink_close(struct tlslink *l);

/* Be the server of a connection of this context. l must not move from now on. 0, or -1: tls_error(server). */
int tlslink_accept(struct tlslink *l, struct tls *server);

/* 1: it is secure; 0: not now; -1: it failed. */
int tlslink_handshake(struct tlslink *l);

/* tlslink_read would do something. */
bool tlslink_may_read(const struct tlslink *l);

/*
 * As fdpair_read and fdpair_write. 0 of a read is the end as it should be; -1 is none: the connection ended without
 * close_notify (is_cut), or tlslink_reason says why.
 */
ssize_t tlslink_read(struct tlslink *l, void *p, size_t n);
ssize_t tlslink_write(struct tlslink *l, const void *p, size_t n);

/* Under TLS: say close_notify. FDPAIR_WAIT: not now; else it is said, or cannot be. */
int tlslink_finish(struct tlslink *l);

/* It ended as TCP does, and not as TLS should. */
bool tlslink_is_cut(const struct tlslink *l);

/* Why the connection is no good any more. */
const char *tlslink_reason(const struct tlslink *l);

/* The client has shown a certificate, which was verified. */
bool tlslink_has_certificate(const struct tlslink *l);

/* Add what TLS proved: SSL_PROTOCOL and so on; in the clear that is nothing. 0, or -1 with errno ENOMEM. */
int tlslink_facts(const struct tlslink *l, struct facts *f);

#endif
