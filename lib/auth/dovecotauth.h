/* ISC licence, see LICENSE. */
#ifndef MSA_AUTH_DOVECOTAUTH_H
#define MSA_AUTH_DOVECOTAUTH_H

#include <stddef.h>

#include "auth/answer.h"
#include "base/log.h"
#include "chain/facts.h"

/*
 * The client's side of Dovecot's authentication protocol, version 1: lines of fields between tabs, on a Unix socket.
 * Both sides say their version; the server names its mechanisms and says DONE; then PLAIN asks, and OK or FAIL answers.
 */
enum { DOVECOTAUTH_LINE_MAX = 8192 }; /* octets of a line that we take */

/*
 * Ask the server at the socket path, as backend_ask does, on a connection of its own. A password is right only if the
 * server knows its user by the same name, in any case of letters. Where the server's name has no domain, realm is the
 * domain (NULL: none).
 */
enum backend_answer dovecotauth_ask(const char *path, const char *realm, const struct facts *facts,
    const struct log *log, const char *user, const char *password, size_t len);

#endif
