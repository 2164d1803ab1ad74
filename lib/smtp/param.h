/* ISC licence, see LICENSE. */
#ifndef MSA_SMTP_PARAM_H
#define MSA_SMTP_PARAM_H

#include <stddef.h>
#include <stdint.h>

/* The parameters of MAIL and RCPT, one table: keyword, syntax of its value, keyword of EHLO that it needs. */
enum param {
	PARAM_UNKNOWN,
	PARAM_SIZE, PARAM_BODY, PARAM_SMTPUTF8, PARAM_AUTH, PARAM_RET, PARAM_ENVID, PARAM_BY, PARAM_MT_PRIORITY,
	PARAM_REQUIRETLS, PARAM_SOLICIT, PARAM_HOLDFOR, PARAM_HOLDUNTIL, PARAM_MTRK, PARAM_PRDR, /* of MAIL */
	PARAM_NOTIFY, PARAM_ORCPT, /* of RCPT */
	PARAM_COUNT,
};

enum param_of { PARAM_OF_MAIL = 1, PARAM_OF_RCPT = 2 };

/* Look up a keyword in any case; PARAM_UNKNOWN where it is not one of a command in of (PARAM_OF_*, or both). */
enum param param_find(const char *keyword, size_t len, int of);

const char *param_keyword(enum param p); /* in upper case */
uint32_t param_cap(enum param p);        /* the CAP_* that offers it */

/* The octets by which a MAIL or RCPT line may exceed LINE_COMMAND_MAX where caps are offered. */
size_t param_adds(uint32_t caps, int of);

/* value (NULL: none was given) is right for p. 0 or -1. */
int param_check(enum param p, const char *value, size_t len);

/*
 * Split "KEY=value KEY ..." step by step: *s moves behind the parameter and the one space after it. 1: keyword and
 * value (NULL without "=") point into *s. 0: nothing left. -1: not the syntax of RFC 5321 4.1.2's esmtp-param.
 */
int param_next(const char **s, const char *end, const char **key, size_t *keylen, const char **value, size_t *valuelen);

#endif
