/* ISC licence, see LICENSE. */
#ifndef MSA_DELIVER_CLIENT_H
#define MSA_DELIVER_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "deliver/clientconf.h"
#include "deliver/delivery.h"
#include "deliver/wire.h"
#include "msa/buf.h"
#include "net/nexthop.h"
#include "smtp/ehlo.h"
#include "smtp/reply.h"

/*
 * The client side of SMTP (RFC 5321) and LMTP (RFC 2033): a session with a server, which delivers one message after
 * another.
 *
 *	client_open, client_deliver, client_quit                        one message
 *	client_open, client_deliver, client_deliver ..., client_quit    a kept session, as long as client_is_open
 *
 * Every wait ends at a deadline. Only an expected, well-formed reply counts: an unexpected or malformed one ends the
 * session. Between messages the session holds nothing of any message.
 *
 * The programs tlsc and saslc do TLS and SASL; a session that needs them starts them. A client without TLS or AUTH
 * links neither library, and no client knows a password. If the configuration asks for TLS, only EHLO and STARTTLS are
 * sent in the clear.
 */
/* Zero-initialised: closed. */
struct client {
	const struct client_conf *conf;
	bool is_private;       /* verified TLS or a Unix socket: REQUIRETLS can be satisfied */
	struct ehlo offer;     /* what the server answered to EHLO or LHLO */
	bool offer_is_new;     /* set by the owner before each delivery: what the server lacks is refused with 451 */
	char host[NEXTHOP_HOST_MAX + 1]; /* our name in EHLO or LHLO */
	struct buf text;       /* a small message, while it is being delivered */
	struct wire wire;      /* last: see there */
};

/*
 * Open a session with the server n: connect, read the greeting, send EHLO with host, start TLS and authenticate as conf
 * says. s must be closed. n must outlive the session.
 * Returns 0, or -1: s is closed, the reason was logged, and *refusal (the caller's, not translated; must start empty)
 * is the reply for every recipient. If TLS fails, that is 451 4.7.5.
 */
int client_open(struct client *s, const struct client_conf *conf, const struct nexthop *n, const char *host,
    int64_t deadline_ms, const struct log *log, struct reply_foreign *refusal);

bool client_is_open(const struct client *s);

enum client_result {
	CLIENT_ANSWERED, /* every line of the delivery has its reply; client_is_open tells if the session can be kept */
	CLIENT_GONE,     /* the server had gone before it answered MAIL: no line has a reply from it, and s is closed */
};

/*
 * Deliver d to each of its pending lines, and set the reply of each. If !d->partial and the server refuses a recipient
 * before the data, nothing is sent. another: another host can be tried, so a fresh session too may return CLIENT_GONE;
 * a kept session always may; if conf->learns, it also does so instead of refusing d for what the server did not offer
 * when the session began. After CLIENT_GONE deliver d over another session.
 */
enum client_result client_deliver(struct client *s, struct delivery *d, bool another);

/* If the session is open, send QUIT, do not wait for the reply, and close. Frees what s owns. */
void client_quit(struct client *s);

#endif
