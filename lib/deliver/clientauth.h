/* ISC licence, see LICENSE. */
#ifndef MSA_DELIVER_CLIENTAUTH_H
#define MSA_DELIVER_CLIENTAUTH_H

#include "deliver/clientconf.h"
#include "deliver/wire.h"
#include "smtp/ehlo.h"

/*
 * AUTH (RFC 4954) as the client of a server. saslc(8) holds the password and computes the responses; this module
 * carries them. host is the server's name, offer what the server offers.
 * Returns 0, or -1: the session is closed, the reason was logged, and *refusal is the reply for every recipient. A
 * failed AUTH is a fault of ours and not of the message, so that reply is always 451.
 */
int clientauth_run(struct wire *w, const struct client_conf *conf, const char *host, const struct ehlo *offer,
    struct reply_foreign *refusal);

#endif
