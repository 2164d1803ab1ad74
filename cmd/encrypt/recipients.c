/* ISC licence, see LICENSE. */
#include "recipients.h"

#include <stdlib.h>
#include <string.h>

#include "chain/limits.h"
#include "mail/addrlist.h"
#include "smtp/reply.h"

/* Make room for n recipients. Returns 0, or -1 with errno set (ENOMEM). */
static int
make_room(struct recipients *r, size_t n)
{
	r->n = r->nrcpt = n;
	r->key = calloc(n + 1, sizeof *r->key);
	r->is_named = calloc(n + 1, sizeof *r->is_named);
	r->fate = calloc(n + 1, sizeof *r->fate);
	return r->key && r->is_named && r->fate ? 0 : -1;
}

/* Call see for each address in To, Cc, Resent-To and Resent-Cc. */
static void
each_address(struct recipients *r, const struct header *h,
    void (*see)(struct recipients *r, const char address[KEYRING_ADDRESS_MAX + 1]))
{
	char address[KEYRING_ADDRESS_MAX + 1];
	const char *text = h->text.p;
	struct addrlist list;
	struct addrlist_item m;
	struct field f;
	size_t pos = 0;
	struct addr a;

	while (header_next(text, h->text.len, &pos, &f) != 0) {
		enum addrlist_result result;

		if (f.id != FIELD_TO && f.id != FIELD_CC && f.id != FIELD_RESENT_TO && f.id != FIELD_RESENT_CC)
			continue;
		addrlist_begin(&list, text, f.value, f.end);
		while ((result = addrlist_next(&list, &m)) == ADDRLIST_BOX)
			if (addrlist_addr(text, &m, &a) == 0) {
				keyring_address(address, &a);
				see(r, address);
			} else
				r->bad_field = field_name(f.id);
		if (result == ADDRLIST_BAD)
			r->bad_field = field_name(f.id);
	}
}

/* Everybody can read an address in the header: its recipient need not be hidden. */
static void
name(struct recipients *r, const char address[KEYRING_ADDRESS_MAX + 1])
{
	size_t i;

	for (i = 0; i < r->nrcpt; i++)
		r->is_named[i] |= strcmp(r->key[i].address, address) == 0;
}

static void
count(struct recipients *r, const char address[KEYRING_ADDRESS_MAX + 1])
{
	(void)address;
	r->n++;
}

static void
add(struct recipients *r, const char address[KEYRING_ADDRESS_MAX + 1])
{
	r->is_named[r->nrcpt] = true;
	memcpy(r->key[r->nrcpt++].address, address, strlen(address) + 1);
}

int
recipients_open(struct recipients *r, const struct envelope *e, const struct header *h)
{
	struct addr a;
	size_t i;

	if (!e) {
		each_address(r, h, count);
		r->nrcpt = r->n;
		if (r->n > CHAIN_RCPT_MAX)
			return 0;
		if (make_room(r, r->n) < 0)
			return -1;
		r->nrcpt = 0;
		each_address(r, h, add);
		return 0;
	}
	if (make_room(r, e->nrcpt + e->ncopy) < 0)
		return -1;
	r->nrcpt = e->nrcpt;
	for (i = 0; i < r->n; i++)
		if (e->rcpt[i].kind == ENVELOPE_REPLY)
			r->fate[i] = FATE_GONE;
		else if (addr_mailbox(e->rcpt[i].path, e->rcpt[i].path_len, &a) == 0) /* not so: <postmaster> */
			keyring_address(r->key[i].address, &a);
	each_address(r, h, name);
	return 0;
}

void
recipients_decide(struct recipients *r, enum policy policy)
{
	size_t i;

	for (i = 0; i < r->n; i++) {
		if (r->fate[i] != FATE_GONE)
			r->fate[i] = r->key[i].found == KEYRING_ONE ? FATE_SEALED :
			    r->key[i].found == KEYRING_NONE && policy != POLICY_REFUSE ? FATE_CLEAR : FATE_REFUSED;
		if (i < r->nrcpt)
			r->count[r->fate[i]]++;
	}
	for (i = 0; policy == POLICY_ALL && r->count[FATE_CLEAR] > 0 && i < r->n; i++)
		if (r->fate[i] == FATE_SEALED) {
			r->fate[i] = FATE_CLEAR;
			if (i < r->nrcpt) {
				r->count[FATE_SEALED]--;
				r->count[FATE_CLEAR]++;
			}
		}
}

const char *
recipients_why(const struct recipients *r, size_t i)
{
	switch (r->key[i].found) {
	case KEYRING_SEVERAL:
		return "There are several keys for this recipient, not one to encrypt to";
	case KEYRING_UNUSABLE:
		return "The key for this recipient cannot be used";
	default:
		return reply_text(REPLY_NO_KEY);
	}
}

void
recipients_free(struct recipients *r)
{
	free(r->key);
	free(r->is_named);
	free(r->fate);
}
