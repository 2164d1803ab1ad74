/* ISC licence, see LICENSE. */
#ifndef MSA_AUTH_BACKEND_H
#define MSA_AUTH_BACKEND_H

#include <stddef.h>

#include "auth/answer.h"
#include "base/log.h"
#include "chain/facts.h"

/*
 * Another program that knows passwords and only says whether one is right: a checkpassword program (checkpassword.h) or
 * Dovecot's authentication server (dovecotauth.h). One of the two is set; both are borrowed.
 */
struct backend {
	char *const *program; /* the words of the checkpassword program */
	const char *socket;   /* the path of Dovecot's socket */
	const char *realm;    /* the domain of a name that has none there, or NULL */
};

/* Ask whether the password of len octets is the user's. facts describe the client. */
enum backend_answer backend_ask(const struct backend *b, const struct facts *facts, const struct log *log,
    const char *user, const char *password, size_t len);

#endif
