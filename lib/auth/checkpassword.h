/* ISC licence, see LICENSE. */
#ifndef MSA_AUTH_CHECKPASSWORD_H
#define MSA_AUTH_CHECKPASSWORD_H

#include <stddef.h>

#include "auth/answer.h"
#include "base/log.h"
#include "chain/facts.h"

/*
 * The checkpassword interface: a program reads "user\0secret\0timestamp\0" from descriptor 3 and becomes the program
 * that its words end with if the secret is right. Here that is true(1), so the exit code 0 says that it is; 1 says that
 * it is not. Any other end says nothing.
 */
enum {
	CHECKPASSWORD_MAX = 512,    /* octets of all three with a password: the interface has no more */
	CHECKPASSWORD_TOKEN = 9504, /* with a token: the 9216 that a line of AUTH holds (RFC 4954 4), a name and the time */
};

/*
 * Run the program argv, whose last word is "true", as backend_ask does. max is one of the numbers above; what is longer
 * is wrong. The program is never run with uid 0, and ends after BACKEND_WAIT_S at the latest.
 */
enum backend_answer checkpassword_ask(char *const argv[], const struct facts *facts, const struct log *log,
    const char *user, const char *secret, size_t len, size_t max);

#endif
