/* ISC licence, see LICENSE. */
#ifndef MSA_CHAIN_FACTS_H
#define MSA_CHAIN_FACTS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The facts of a call, chain(7) ENVIRONMENT: what the stages before this one found out, as NAME=value.
 * It is shaped like environ: v[0..n) are owned strings, v[n] is NULL. Exec'd it holds the whole environment; of a call
 * to a resident only what chain(7) names, and the process's own environ has the rest. Zero-initialised it is empty.
 */
struct facts {
	char **v;
	size_t n;
	size_t cap;
	char *block; /* owned: strings that came together live here, and are freed together; the others are each their own */
	size_t block_len;
	bool of_call; /* facts_from_call made it */
};

/*
 * Who sets a variable. A stage first drops what it or a later stage sets (facts_claim), so that nothing forged
 * passes it; what comes from earlier is believed because somebody put it there.
 */
enum facts_owner {
	FACTS_NOBODY,   /* not in chain(7) */
	FACTS_OPERATOR, /* the operator, the super-server and its rules, or the first stage */
	FACTS_TLSD,
	FACTS_AUTHD,
	FACTS_SUBMITD,
};

/* 0, or -1 with errno ENOMEM. f must be empty. */
int facts_from_environ(struct facts *f);

/*
 * Of the n octets at p, NAME=value NUL each, those that chain(7) names: what a resident stage knows of a call. Of a
 * name that comes twice the last counts. f must be empty. 0, or -1 with errno ENOMEM, or EPROTO: p is no such list, or
 * has more than max names.
 */
int facts_from_call(struct facts *f, const char *p, size_t n, size_t max);

/* The same as in from; f must be empty. 0, or -1 with errno ENOMEM. */
int facts_copy(struct facts *f, const struct facts *from);

/* The value, borrowed until f changes; NULL: not set. */
const char *facts_get(const struct facts *f, const char *name);

/* 0, or -1 with errno ENOMEM and f unchanged. */
int facts_set(struct facts *f, const char *name, const char *value);

/*
 * Set a text that a peer chose: at most CHAIN_TEXT_MAX octets of letters, digits, ". : _ - [ ] @ + = /" and space;
 * any other octet becomes "?". Result as facts_set.
 */
int facts_set_text(struct facts *f, const char *name, const char *text, size_t len);

void facts_unset(struct facts *f, const char *name);

/* Unset every variable that owner or a later stage sets. */
void facts_claim(struct facts *f, enum facts_owner owner);

/*
 * Who sets name, which ends where it does or before a "="; MSA_X_* is the operator's. Only names with an owner pass
 * from one resident to another.
 */
enum facts_owner facts_owner(const char *name);

/*
 * For the process that is about to exec: environ becomes f->v, of a call with what the process's own environment has
 * that chain(7) does not name. 0, or -1 with errno ENOMEM.
 */
int facts_to_environ(const struct facts *f);

void facts_free(struct facts *f);

/* Facts that need a rule to be read. */
bool facts_is_tls(const struct facts *f);           /* SSL_PROTOCOL is set */
bool facts_is_authenticated(const struct facts *f); /* SMTPAUTHUSER is set and not empty */
bool facts_is_lmtp(const struct facts *f);          /* MSA_LMTP is set */

/* A number from a variable: the default where it is unset, empty or no decimal number of at most 15 digits. */
long long facts_number(const struct facts *f, const char *name, long long otherwise);

#endif
