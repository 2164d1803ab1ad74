/* ISC licence, see LICENSE. */
#ifndef MSA_SMTP_PARAM_H
#define MSA_SMTP_PARAM_H

#include <stddef.h>
#include <stdint.h>

/* The parameters of MAIL and RCPT: keyword, syntax of the value, and the EHLO keyword that must have been offered. */
enum param {
	PARAM_UNKNOWN,
	PARAM_SIZE, PARAM_BODY, PARAM_SMTPUTF8, PARAM_AUTH, PARAM_RET, PARAM_ENVID, PARAM_BY, PARAM_MT_PRIORITY,
	PARAM_REQUIRETLS, PARAM_SOLICIT, PARAM_HOLDFOR, PARAM_HOLDUNTIL, PARAM_MTRK, PARAM_PRDR, /* of MAIL */
	PARAM_NOTIFY, PARAM_ORCPT, /* of RCPT */
	PARAM_COUNT,
};

enum param_of { PARAM_OF_MAIL = 1, PARAM_OF_RCPT = 2 };

/*
 * Look up a keyword, in any case. Returns PARAM_UNKNOWN if it does not belong to a command in of (PARAM_OF_*, or both).
 */
enum param param_find(const char *keyword, size_t len, int of);

const char *param_keyword(enum param p); /* in upper case */
uint32_t param_cap(enum param p);        /* the CAP_* that offers it */

/* The octets by which a MAIL or RCPT line may exceed LINE_COMMAND_MAX if caps are offered. */
size_t param_adds(uint32_t caps, int of);

/* Check the syntax of p's value (NULL: none was given). Returns 0, or -1: invalid. */
int param_check(enum param p, const char *value, size_t len);

/*
 * Split "KEY=value KEY ..." step by step: *s moves after the parameter and the space that follows. Returns 1 with
 * keyword and value pointing into *s (value NULL: no "="), or 0: nothing left, or -1: not an esmtp-param of RFC 5321
 * 4.1.2.
 */
int param_next(const char **s, const char *end, const char **key, size_t *keylen, const char **value, size_t *valuelen);

#endif
