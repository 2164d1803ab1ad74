/* ISC licence, see LICENSE. */
#ifndef MSA_CHAIN_FACTS_H
#define MSA_CHAIN_FACTS_H

#include <stdbool.h>
#include <stddef.h>

#include "msa/chain.h"

/*
 * The facts of a call, chain-facts(7): the variables that earlier stages set, as NAME=value.
 * The shape is that of environ: v[0..n) are owned strings, v[n] is NULL. In a stage that was exec'd they are the whole
 * environment. In a call to a resident they are only the variables of chain-facts(7), and the process's own environ has
 * the others. Zero-initialised it is empty.
 */
struct facts {
	char **v;
	size_t n;
	size_t cap;
	char *block; /* owned: strings that came together and are freed together; every other string is freed by itself */
	size_t block_len;
	bool of_call; /* made by facts_from_call */
};

/* Copy the environment; f must be empty. A string without "=" is left out. Returns 0, or -1 with errno set (ENOMEM). */
int facts_from_environ(struct facts *f);

/*
 * Take the facts of a call to a resident from the n octets at p, each NAME=value NUL. Only variables of chain-facts(7)
 * are kept; if a name comes twice, the last value counts. f must be empty.
 * Returns 0, or -1 with errno set (ENOMEM; EPROTO: p is not such a list, or has more than max names).
 */
int facts_from_call(struct facts *f, const char *p, size_t n, size_t max);

/* Copy from into f, which must be empty. Returns 0, or -1 with errno set (ENOMEM). */
int facts_copy(struct facts *f, const struct facts *from);

/* Returns the value, borrowed until f changes, or NULL if name is not set. */
const char *facts_get(const struct facts *f, const char *name);

/* Set name to value. Returns 0, or -1 with errno set (ENOMEM) and f unchanged. */
int facts_set(struct facts *f, const char *name, const char *value);

/*
 * Set name to a text that a peer chose: at most CHAIN_TEXT_MAX octets of letters, digits, ". : _ - [ ] @ + = /" and
 * space; any other octet becomes "?". Returns as facts_set.
 */
int facts_set_text(struct facts *f, const char *name, const char *text, size_t len);

void facts_unset(struct facts *f, const char *name);

/* Unset every variable that owner or a later stage owns. */
void facts_claim(struct facts *f, enum facts_owner owner);

/*
 * Unset what gives a client rights although no stage has proved anything: RELAYCLIENT and MSA_X_*. Returns true if one
 * of them was set.
 */
bool facts_disown(struct facts *f);

/*
 * Returns the owner of name, a NUL-ended name or NAME=value. MSA_X_* belongs to the operator. Only variables with an
 * owner are handed over from one resident to another.
 */
enum facts_owner facts_owner(const char *name);

/*
 * Make f the environment, for a process that is about to exec: environ becomes f->v. If f is of a call, the variables
 * of the process's own environment that chain-facts(7) does not name are kept. Returns 0, or -1 with errno set
 * (ENOMEM).
 */
int facts_to_environ(const struct facts *f);

void facts_free(struct facts *f);

/* Facts that are read by a rule. */
bool facts_is_tls(const struct facts *f);           /* SSL_PROTOCOL is set */
bool facts_is_authenticated(const struct facts *f); /* SMTPAUTHUSER is set and not empty */
bool facts_is_lmtp(const struct facts *f);          /* MSA_LMTP is set */

/* Returns the number in a variable, or otherwise if it is unset, empty or not a decimal number of at most 15 digits. */
long long facts_number(const struct facts *f, const char *name, long long otherwise);

#endif
