/* ISC licence, see LICENSE. */
#include "tlsd/admission.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "base/os.h"

/*
 * The content of a place. A worker that is killed in the few instructions between counting a connection and writing its
 * place leaves one connection too many in the count until the service is restarted.
 */
enum { USED = 1 << 16, EARLY = 1 << 17, ADDRESS = 1 << 18, BUCKET = 0xffff };

struct admission_shared {
	atomic_int total, early;
	atomic_int bucket[ADMISSION_BUCKETS];
	atomic_uint place[]; /* conf.total for each worker */
};

static size_t
size(const struct admission *l)
{
	return sizeof *l->shared + sizeof l->shared->place[0] * l->conf.total * l->workers;
}

int
admission_open(struct admission *l, const struct admission_conf *conf, unsigned workers)
{
	*l = (struct admission){ .conf = *conf, .workers = workers };
	if (os_random(l->secret, sizeof l->secret) < 0)
		return -1;
	l->shared = mmap(NULL, size(l), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0); /* zeroes */
	if (l->shared == MAP_FAILED) {
		l->shared = NULL;
		return -1;
	}
	return 0;
}

void
admission_close(struct admission *l)
{
	if (l->shared)
		munmap(l->shared, size(l));
	l->shared = NULL;
}

static atomic_uint *
at(const struct admission *l, unsigned worker, unsigned place)
{
	return &l->shared->place[(size_t)worker * l->conf.total + place];
}

/* Count one more. Returns 0, or -1: that would be over the limit. */
static int
take(atomic_int *counter, unsigned most)
{
	if (atomic_fetch_add(counter, 1) < (int)most)
		return 0;
	atomic_fetch_sub(counter, 1);
	return -1;
}

/* Count one less, but never below 0, whatever a killed worker left. */
static void
give(atomic_int *counter)
{
	if (atomic_fetch_sub(counter, 1) <= 0)
		atomic_fetch_add(counter, 1);
}

static uint64_t
mix(uint64_t x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93u;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93u;
	return x ^ x >> 32;
}

/* The first 64 bits of an IPv4-mapped address are 0; then the other 64 count. */
static unsigned
bucket(const struct admission *l, const struct endpoint *e)
{
	uint64_t half[2];

	memcpy(half, e->ip.octet, sizeof half);
	if (half[0] != 0)
		half[1] = 0;
	return (unsigned)mix(mix(half[0] ^ l->secret[0]) ^ half[1] ^ l->secret[1]) & BUCKET;
}

enum admission_result
admission_enter(struct admission *l, unsigned *place)
{
	unsigned i;

	for (i = 0; i < l->conf.total; i++, l->next = (l->next + 1) % l->conf.total)
		if (atomic_load(at(l, l->worker, l->next)) == 0)
			break;
	if (i == l->conf.total || take(&l->shared->total, l->conf.total) < 0)
		return ADMISSION_OVER_TOTAL;
	if (take(&l->shared->early, l->conf.early) < 0) {
		give(&l->shared->total);
		return ADMISSION_OVER_EARLY;
	}
	atomic_store(at(l, l->worker, l->next), USED | EARLY);
	*place = l->next;
	l->next = (l->next + 1) % l->conf.total;
	return ADMISSION_OK;
}

enum admission_result
admission_address(struct admission *l, unsigned place, const struct endpoint *e)
{
	unsigned b = bucket(l, e);

	if (take(&l->shared->bucket[b], l->conf.address) < 0)
		return ADMISSION_OVER_ADDRESS;
	atomic_fetch_or(at(l, l->worker, place), ADDRESS | b);
	return ADMISSION_OK;
}

void
admission_settle(struct admission *l, unsigned place)
{
	if (atomic_fetch_and(at(l, l->worker, place), ~(unsigned)EARLY) & EARLY)
		give(&l->shared->early);
}

static void
leave(struct admission *l, unsigned worker, unsigned place)
{
	unsigned was = atomic_exchange(at(l, worker, place), 0);

	if (was & EARLY)
		give(&l->shared->early);
	if (was & ADDRESS)
		give(&l->shared->bucket[was & BUCKET]);
	if (was & USED)
		give(&l->shared->total);
}

void
admission_leave(struct admission *l, unsigned place)
{
	leave(l, l->worker, place);
}

void
admission_lost(struct admission *l, unsigned worker)
{
	unsigned i;

	for (i = 0; i < l->conf.total; i++)
		if (atomic_load(at(l, worker, i)))
			leave(l, worker, i);
}
