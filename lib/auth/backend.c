/* ISC licence, see LICENSE. */
#include "auth/backend.h"

#include "auth/checkpassword.h"
#include "auth/dovecotauth.h"

enum backend_answer
backend_ask(const struct backend *b, const struct facts *facts, const struct log *log, const char *user,
    const char *password, size_t len)
{
	if (b->program)
		return checkpassword_ask(b->program, facts, log, user, password, len, CHECKPASSWORD_MAX);
	return dovecotauth_ask(b->socket, b->realm, facts, log, user, password, len);
}
