/* ISC licence, see LICENSE. */
#ifndef MSA_AUTH_CHECKPASSWORD_H
#define MSA_AUTH_CHECKPASSWORD_H

#include <stddef.h>

#include "auth/answer.h"
#include "base/log.h"
#include "chain/facts.h"

/*
 * The checkpassword interface: a program reads "user\0password\0timestamp\0" from descriptor 3, at most 512 octets, and
 * becomes the program that its words end with if the password is right. Here that is true(1), so the exit code 0 says
 * that it is; 1 says that it is not. Any other end says nothing.
 */
enum { CHECKPASSWORD_MAX = 512 };

/*
 * Run the program argv, whose last word is "true", as backend_ask does. It is never run with uid 0, and ends after
 * BACKEND_WAIT_S at the latest.
 */
enum backend_answer checkpassword_ask(char *const argv[], const struct facts *facts, const struct log *log,
    const char *user, const char *password, size_t len);

#endif
