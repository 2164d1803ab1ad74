/* ISC licence, see LICENSE. */
#ifndef MSA_ENCRYPT_RECIPIENTS_H
#define MSA_ENCRYPT_RECIPIENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "keyring.h"
#include "mail/header.h"
#include "msa/envelope.h"

/* What a site does about recipients without a key. */
enum policy {
	POLICY_REFUSE,
	POLICY_CLEAR, /* they get the message in the clear */
	POLICY_ALL,   /* all recipients do, if one of them has no key */
};

/* What becomes of a recipient. */
enum fate {
	FATE_SEALED,
	FATE_CLEAR,
	FATE_REFUSED,
	FATE_GONE, /* an earlier stage has refused the recipient */
};

/* The recipients of a message: lines of the envelope with their copies or, in a filter, the addresses in the header. */
struct recipients {
	struct keyring_key *key; /* owned; n */
	bool *is_named;          /* owned; the header names the recipient, so everybody may know */
	enum fate *fate;         /* owned */
	size_t n, nrcpt;         /* all; those that are no copies */
	size_t count[FATE_GONE + 1]; /* recipients of each fate, without copies */
	const char *bad_field;   /* a field of the header whose list is invalid, or NULL */
};

/*
 * Take the recipients from the envelope or, if e is NULL, the header. Returns 0, or -1 with errno set (ENOMEM). If the
 * header has more than CHAIN_RCPT_MAX, only their number nrcpt is set.
 */
int recipients_open(struct recipients *r, const struct envelope *e, const struct header *h);

/* Decide what becomes of each recipient, after the keys were looked for. */
void recipients_decide(struct recipients *r, enum policy policy);

/* Returns why a recipient is refused; a constant. */
const char *recipients_why(const struct recipients *r, size_t i);

void recipients_free(struct recipients *r);

#endif
