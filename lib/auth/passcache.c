/* ISC licence, see LICENSE. */
#include "auth/passcache.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/os.h"
#include "msa/buf.h"

enum { LABEL_ROOM = 72 };

/* An entry, as it is outside of the shared memory. */
struct record {
	unsigned char tag[PASSCACHE_KEY];   /* of the login */
	unsigned char check[PASSCACHE_KEY]; /* of all else */
	int64_t made_ms;
	char label[LABEL_ROOM]; /* NUL-ended, and NULs up to its end */
};

_Static_assert(sizeof(struct record) == PASSCACHE_WORDS * sizeof(unsigned long long), "an entry is whole words");
_Static_assert((int)LABEL_ROOM > (int)USERDB_LABEL_MAX, "each label has room");

struct passcache *
passcache_new(size_t sets, int64_t age_ms)
{
	size_t size = sizeof(struct passcache) + sets * PASSCACHE_WAYS * sizeof(struct passcache_slot);
	struct passcache *c = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (c == MAP_FAILED)
		return NULL;
	if (os_random(c->key, sizeof c->key) < 0) {
		munmap(c, size);
		return NULL;
	}
	(void)mlock(c, sizeof *c); /* the key stays out of the swap space, if there are enough pages that may be locked */
	c->sets = sets;
	c->age_ms = age_ms;
	return c;
}

/* Returns 0, or -1. */
static int
hmac(const struct passcache *c, const void *data, size_t len, unsigned char out[PASSCACHE_KEY])
{
	return HMAC(EVP_sha256(), c->key, sizeof c->key, data, len, out, NULL) ? 0 : -1;
}

/* Compute the tag of a login. Returns 0, or -1: no memory. */
static int
tag_of(const struct passcache *c, const struct passcache_login *l, unsigned char tag[PASSCACHE_KEY])
{
	const struct table_file *f = l->store;
	struct buf b = { 0 };
	int r = -1;

	/* No user's name has a NUL, so no two logins make the same octets. */
	if (buf_printf(&b, "login %llu %llu %lld %lld.%ld %lld.%ld %s", (unsigned long long)f->dev, (unsigned long long)f->ino,
	    (long long)f->size, (long long)f->mtime.tv_sec, f->mtime.tv_nsec, (long long)f->ctime.tv_sec, f->ctime.tv_nsec,
	    l->user) == 0 && buf_add(&b, "", 1) == 0 && buf_add(&b, l->password, l->len) == 0)
		r = hmac(c, b.p, b.len, tag);
	buf_wipe(&b);
	return r;
}

/* Compute the check of a record. Returns 0, or -1: no memory. */
static int
check_of(const struct passcache *c, const struct record *r, unsigned char check[PASSCACHE_KEY])
{
	struct {
		char what[8]; /* no tag is computed of this word */
		unsigned char tag[PASSCACHE_KEY];
		int64_t made_ms;
		char label[LABEL_ROOM];
	} data = { .what = "entry", .made_ms = r->made_ms };

	memcpy(data.tag, r->tag, sizeof data.tag);
	memcpy(data.label, r->label, sizeof data.label);
	return hmac(c, &data, sizeof data, check);
}

static struct passcache_slot *
set_of(struct passcache *c, const unsigned char tag[PASSCACHE_KEY])
{
	uint64_t n;

	memcpy(&n, tag, sizeof n);
	return &c->slot[n % c->sets * PASSCACHE_WAYS];
}

static void
load(const struct passcache_slot *s, struct record *r)
{
	unsigned long long word[PASSCACHE_WORDS];
	size_t i;

	for (i = 0; i < PASSCACHE_WORDS; i++)
		word[i] = atomic_load_explicit(&s->word[i], memory_order_relaxed);
	memcpy(r, word, sizeof word);
}

static void
store(struct passcache_slot *s, const struct record *r)
{
	unsigned long long word[PASSCACHE_WORDS];
	size_t i;

	memcpy(word, r, sizeof word);
	for (i = 0; i < PASSCACHE_WORDS; i++)
		atomic_store_explicit(&s->word[i], word[i], memory_order_relaxed);
}

static void
use(struct passcache *c, struct passcache_slot *s)
{
	atomic_store(&s->used, atomic_fetch_add(&c->turns, 1) + 1);
}

bool
passcache_find(struct passcache *c, const struct passcache_login *login, int64_t now_ms, char *label)
{
	unsigned char tag[PASSCACHE_KEY], check[PASSCACHE_KEY];
	struct passcache_slot *set;
	struct record r;
	int i;

	if (tag_of(c, login, tag) < 0)
		return false;
	for (set = set_of(c, tag), i = 0; i < PASSCACHE_WAYS; i++) {
		load(&set[i], &r);
		if (CRYPTO_memcmp(r.tag, tag, sizeof tag) != 0)
			continue;
		if (check_of(c, &r, check) < 0 || CRYPTO_memcmp(r.check, check, sizeof check) != 0 || r.made_ms > now_ms ||
		    now_ms - r.made_ms >= c->age_ms)
			continue;
		use(c, &set[i]);
		snprintf(label, USERDB_LABEL_MAX + 1, "%.*s", USERDB_LABEL_MAX, r.label);
		return true;
	}
	return false;
}

/* Returns the slot for a tag: the one that has it, or else the one that was not used for the longest time. */
static struct passcache_slot *
slot_for(struct passcache *c, const unsigned char tag[PASSCACHE_KEY])
{
	struct passcache_slot *set = set_of(c, tag), *oldest = set;
	struct record r;
	int i;

	for (i = 0; i < PASSCACHE_WAYS; i++) {
		load(&set[i], &r);
		if (memcmp(r.tag, tag, sizeof r.tag) == 0)
			return &set[i];
		if (atomic_load(&set[i].used) < atomic_load(&oldest->used))
			oldest = &set[i];
	}
	return oldest;
}

void
passcache_add(struct passcache *c, const struct passcache_login *login, int64_t now_ms, const char *label)
{
	struct record r = { .made_ms = now_ms };
	struct passcache_slot *s;

	snprintf(r.label, sizeof r.label, "%s", label);
	if (tag_of(c, login, r.tag) < 0 || check_of(c, &r, r.check) < 0)
		return;
	s = slot_for(c, r.tag);
	store(s, &r);
	use(c, s);
}

void
passcache_clear(struct passcache *c)
{
	static const struct record none;
	size_t i;

	for (i = 0; i < c->sets * PASSCACHE_WAYS; i++) {
		store(&c->slot[i], &none);
		atomic_store(&c->slot[i].used, 0);
	}
}
