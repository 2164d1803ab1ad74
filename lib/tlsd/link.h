/* ISC licence, see LICENSE. */
#ifndef MSA_TLSD_LINK_H
#define MSA_TLSD_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "chain/facts.h"
#include "msa/buf.h"
#include "net/fdpair.h"
#include "tlsd/authority.h"

struct tls;

/*
 * The connection to the client: in the clear, and through TLS after the handshake. Never waits. Each call may have to
 * wait for either direction. Octets that libtls has decrypted do not wake poll, so call tlslink_read before waiting.
 */
enum { TLSLINK_CHUNK = 65535 }; /* octets moved at once: about four TLS records; a power of two with buf's NUL */

struct tlslink {
	struct fdpair side;
	struct tls *tls;               /* owned; NULL: before the handshake */
	bool secure;                   /* the handshake is done; everything goes through tls */
	bool certified;                /* with a certificate that is good */
	const char *not_good;          /* why the client's certificate counts as none; NULL: it does not, or there is none */
	const struct authority *authority; /* borrowed */
	struct buf raw;                /* from the client, encrypted */
	size_t raw_pos;
	short read_wants, write_wants; /* the event that reading and writing wait for: POLLIN, POLLOUT; 0: none */
	bool eof;                      /* the transport's input ended */
	int error;                     /* the errno of the transport; 0: none */
};

/* in and out stay the caller's. l must not move after tlslink_accept. */
void tlslink_open(struct tlslink *l, int in, int out);
void tlslink_close(struct tlslink *l);

/*
 * Prepare the handshake with the server context, and with the authorities, which stay the caller's. Returns 0, or -1:
 * see tls_error(server).
 */
int tlslink_accept(struct tlslink *l, struct tls *server, const struct authority *authority);

/* Returns 1 if the handshake is done, 0 if not yet, -1 if it failed. */
int tlslink_handshake(struct tlslink *l);

/* Returns true unless tlslink_read would return FDPAIR_WAIT at once. */
bool tlslink_may_read(const struct tlslink *l);

/*
 * As fdpair_read and fdpair_write. A read returns 0 at a proper end (close_notify), and -1 at any other:
 * tlslink_is_cut, or an error that tlslink_reason describes.
 */
ssize_t tlslink_read(struct tlslink *l, void *p, size_t n);
ssize_t tlslink_write(struct tlslink *l, const void *p, size_t n);

/* Under TLS: send close_notify. Returns FDPAIR_WAIT, or 0 if it was sent or cannot be sent. */
int tlslink_finish(struct tlslink *l);

/* Returns true if TCP ended without close_notify and without an error. */
bool tlslink_is_cut(const struct tlslink *l);

/* Returns the text of the error that ended the connection. */
const char *tlslink_reason(const struct tlslink *l);

/* Returns true if the client has a certificate, which was verified. */
bool tlslink_has_certificate(const struct tlslink *l);

/* Add what TLS proved to f (SSL_PROTOCOL and so on); nothing in the clear. Returns 0, or -1 with errno set (ENOMEM). */
int tlslink_facts(const struct tlslink *l, struct facts *f);

#endif
