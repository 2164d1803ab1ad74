/* ISC licence, see LICENSE. */
#include "tlsd/admission.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mix.h"
#include "base/os.h"

/*
 * The content of a place. A worker that is killed in the few instructions between counting a connection and writing its
 * place leaves one connection too many in the count until the service is restarted.
 */
enum { USED = 1 << 16, ADDRESS = 1 << 17, BUCKET = 0xffff };

/*
 * The nets of an early connection, the largest first: /24, /24, host; /48, /56, /64. To choose who has to go, they are
 * compared in this order, so within the largest net the neighbours of a stranger fare better than the stranger does.
 */
enum { NETS = 3, NO_NET = 0x10000 };

/* A connection that has to go holds its places until its worker has closed it, but no longer counts. */
struct early {
	atomic_ullong who; /* 0: free; else the bits below, and when it came */
	atomic_uint net[NETS];
};

enum { GO = 1, TAKEN = 2, WORKER_SHIFT = 2, WORKER_BITS = 16, TIME_SHIFT = 18 };

struct admission_shared {
	atomic_int total, early;
	atomic_int address[ADMISSION_BUCKETS]; /* connections */
	atomic_int net[ADMISSION_BUCKETS];     /* early connections, of nets of all sizes */
};

/* Behind it lie the early places, the number of news for each worker, and the places of each worker. */
static struct early *
earlies(const struct admission *l)
{
	return (struct early *)(void *)(l->shared + 1);
}

/* Twice as many as allowed: those that have to go need a moment. */
static unsigned
early_places(const struct admission *l)
{
	return 2 * l->conf.early;
}

static atomic_uint *
news(const struct admission *l)
{
	return (atomic_uint *)(void *)(earlies(l) + early_places(l));
}

static unsigned
places(const struct admission *l)
{
	return l->conf.total + early_places(l);
}

static atomic_uint *
at(const struct admission *l, unsigned worker, unsigned place)
{
	return news(l) + l->workers + (size_t)worker * places(l) + place;
}

static size_t
size(const struct admission *l)
{
	return (size_t)((char *)at(l, l->workers, 0) - (char *)l->shared);
}

int
admission_open(struct admission *l, const struct admission_conf *conf, unsigned workers)
{
	*l = (struct admission){ .conf = *conf, .workers = workers, .wake = -1 };
	if (l->conf.host == 0)
		l->conf.host = ADMISSION_HOST;
	if (l->conf.host > conf->address)
		l->conf.host = conf->address;
	if (l->conf.net == 0) {
		l->conf.net = l->conf.host < conf->early ? l->conf.host : conf->early;
		if (l->conf.net < conf->early / 2)
			l->conf.net = conf->early / 2;
	}
	if (os_random(l->secret, sizeof l->secret) < 0)
		return -1;
	l->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (l->wake < 0)
		return -1;
	l->shared = mmap(NULL, size(l), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0); /* zeroes */
	if (l->shared == MAP_FAILED) {
		l->shared = NULL;
		admission_close(l);
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
	if (l->wake >= 0)
		close(l->wake);
	l->wake = -1;
}

/* Count one less, but never below 0, whatever a killed worker left. */
static void
give(atomic_int *counter)
{
	if (atomic_fetch_sub(counter, 1) <= 0)
		atomic_fetch_add(counter, 1);
}

/* The bucket of the address's first bits, for the net numbered which (0: for the address itself). */
static unsigned
bucket(const struct admission *l, const struct ipaddr *a, unsigned bits, unsigned which)
{
	struct ipaddr net = { { 0 } };
	uint64_t half[2];

	memcpy(net.octet, a->octet, bits / 8);
	memcpy(half, net.octet, sizeof half);
	return (unsigned)mix(mix(half[0] ^ l->secret[0]) ^ half[1] ^ l->secret[1] ^ which) & BUCKET;
}

static unsigned
bits_of(const struct ipaddr *a, unsigned net)
{
	static const unsigned v4[NETS] = { 120, 120, 128 }, v6[NETS] = { 48, 56, 64 };

	return ipaddr_is_v4(a) ? v4[net] : v6[net];
}

/* The early connection no longer counts, and so does not against its nets. */
static void
discount(struct admission *l, struct early *e)
{
	unsigned i, net;

	give(&l->shared->early);
	for (i = 0; i < NETS; i++) {
		net = atomic_load(&e->net[i]);
		if (net < NO_NET)
			give(&l->shared->net[net]);
	}
}

/* How much the connection is to go: greater is sooner. */
struct score {
	int net[NETS];
	unsigned long long came;
};

static struct score
score(const struct admission *l, const struct early *e, unsigned long long who)
{
	struct score s = { .came = who >> TIME_SHIFT };
	unsigned i, net;

	for (i = 0; i < NETS; i++) {
		net = atomic_load(&e->net[i]);
		s.net[i] = net < NO_NET ? atomic_load(&l->shared->net[net]) : 0;
	}
	return s;
}

static bool
is_sooner(const struct score *a, const struct score *b)
{
	unsigned i;

	for (i = 0; i < NETS; i++)
		if (a->net[i] != b->net[i])
			return a->net[i] > b->net[i];
	return a->came < b->came;
}

/* Choose who has to go, but not *self: of the net numbered which in this bucket, or, for NO_NET, of all. */
static struct early *
choose(const struct admission *l, const struct early *self, unsigned which, unsigned net, unsigned long long *who)
{
	struct early *e = earlies(l), *end = e + early_places(l), *best = NULL;
	struct score s, most = { { 0 }, 0 };

	for (; e < end; e++) {
		unsigned long long w = atomic_load(&e->who);

		if (!(w & TAKEN) || w & GO || e == self || (net != NO_NET && atomic_load(&e->net[which]) != net))
			continue;
		s = score(l, e, w);
		if (!best || is_sooner(&s, &most)) {
			best = e;
			most = s;
			*who = w;
		}
	}
	return best;
}

static unsigned
worker_of(unsigned long long who)
{
	return who >> WORKER_SHIFT & ((1u << WORKER_BITS) - 1);
}

/* Make an early connection go. Returns 0, or -1: there is none. */
static int
evict(struct admission *l, const struct early *self, unsigned which, unsigned net)
{
	unsigned long long who;
	const uint64_t one = 1;
	struct early *e;
	unsigned worker;

	do
		if (!(e = choose(l, self, which, net, &who)))
			return -1;
	while (!atomic_compare_exchange_strong(&e->who, &who, who | GO)); /* it has proved itself, or gone, meanwhile */
	discount(l, e);
	give(&l->shared->total);
	worker = worker_of(who);
	if (worker < l->workers && atomic_fetch_add(&news(l)[worker], 1) == 0 && write(l->wake, &one, sizeof one) < 0) {
		/* cannot happen: the counter of an eventfd is large */
	}
	return 0;
}

/* Take a free early place. Returns its number, or ADMISSION_NO_PLACE. */
static unsigned
take_early(struct admission *l, int64_t now_ms)
{
	unsigned long long when = (unsigned long long)now_ms, worker = (unsigned long long)l->worker;
	unsigned long long who = when << TIME_SHIFT | worker << WORKER_SHIFT | TAKEN;
	unsigned i, net, found;

	for (i = 0; i < early_places(l); i++) {
		struct early *e = &earlies(l)[l->next_early];
		unsigned long long nobody = 0;

		found = l->next_early;
		l->next_early = (l->next_early + 1) % early_places(l);
		if (atomic_load(&e->who) != 0 || !atomic_compare_exchange_strong(&e->who, &nobody, who))
			continue;
		for (net = 0; net < NETS; net++)
			atomic_store(&e->net[net], NO_NET);
		return found;
	}
	return ADMISSION_NO_PLACE;
}

enum admission_result
admission_enter(struct admission *l, struct admission_ticket *t, int64_t now_ms)
{
	unsigned i;

	for (i = 0; i < places(l); i++, l->next = (l->next + 1) % places(l))
		if (atomic_load(at(l, l->worker, l->next)) == 0)
			break;
	if (i == places(l))
		return ADMISSION_OVER_TOTAL;
	t->early = take_early(l, now_ms);
	if (t->early == ADMISSION_NO_PLACE)
		return ADMISSION_OVER_EARLY;
	t->place = l->next;
	atomic_store(at(l, l->worker, t->place), USED);
	atomic_fetch_add(&l->shared->early, 1);
	atomic_fetch_add(&l->shared->total, 1);
	l->next = (l->next + 1) % places(l);
	return ADMISSION_OK;
}

/* The most early connections of the net numbered i. An address has a limit of its own. */
static unsigned
most(const struct admission *l, unsigned i)
{
	unsigned half = l->conf.net / 2, host = l->conf.host < l->conf.net ? l->conf.host : l->conf.net;

	if (i == 0)
		return l->conf.net;
	return half > host ? half : host;
}

enum admission_result
admission_address(struct admission *l, struct admission_ticket *t, const struct endpoint *e)
{
	unsigned b = bucket(l, &e->ip, bits_of(&e->ip, NETS - 1), 0), i, net;
	struct early *self = &earlies(l)[t->early];
	bool v4 = ipaddr_is_v4(&e->ip), gone = false;
	int before = 0; /* early ones of the address, which is the last of the nets */

	if (atomic_fetch_add(&l->shared->address[b], 1) >= (int)l->conf.address) {
		give(&l->shared->address[b]);
		return ADMISSION_OVER_ADDRESS;
	}
	atomic_fetch_or(at(l, l->worker, t->place), ADDRESS | b);
	for (i = 0; i < NETS; i++) {
		net = bucket(l, &e->ip, bits_of(&e->ip, i), i + 1);
		before = atomic_fetch_add(&l->shared->net[net], 1);
		atomic_store(&self->net[i], net);
	}
	if (before >= (int)l->conf.host)
		return ADMISSION_OVER_HOST;
	for (i = 0; i < NETS - 1 && !gone; i++) { /* of an IPv4 address, both are the same net */
		net = atomic_load(&self->net[i]);
		if (!(v4 && i > 0) && atomic_load(&l->shared->net[net]) > (int)most(l, i))
			gone = evict(l, self, i, net) == 0;
	}
	if (atomic_load(&l->shared->early) > (int)l->conf.early && evict(l, self, 0, NO_NET) < 0)
		return ADMISSION_OVER_EARLY;
	if (atomic_load(&l->shared->total) > (int)l->conf.total && evict(l, self, 0, NO_NET) < 0)
		return ADMISSION_OVER_TOTAL;
	return ADMISSION_OK;
}

/* Discount an early connection, unless that was done when it had to go. Returns true if it still counted. */
static bool
claim(struct admission *l, struct early *e)
{
	if (atomic_fetch_or(&e->who, GO) & GO)
		return false;
	discount(l, e);
	return true;
}

int
admission_settle(struct admission *l, struct admission_ticket *t)
{
	struct early *e = &earlies(l)[t->early];

	if (!claim(l, e))
		return -1;
	atomic_store(&e->who, 0);
	t->early = ADMISSION_NO_PLACE;
	return 0;
}

/* Give back a place; counted: the connection still counts in the total. */
static void
leave(struct admission *l, unsigned worker, unsigned place, bool counted)
{
	unsigned was = atomic_exchange(at(l, worker, place), 0);

	if (was & ADDRESS)
		give(&l->shared->address[was & BUCKET]);
	if (was & USED && counted)
		give(&l->shared->total);
}

void
admission_leave(struct admission *l, struct admission_ticket *t)
{
	bool counted = true;

	if (t->early != ADMISSION_NO_PLACE) {
		counted = claim(l, &earlies(l)[t->early]);
		atomic_store(&earlies(l)[t->early].who, 0);
		t->early = ADMISSION_NO_PLACE;
	}
	leave(l, l->worker, t->place, counted);
}

bool
admission_has_news(struct admission *l)
{
	atomic_uint *n = &news(l)[l->worker];

	return atomic_load(n) > 0 && atomic_exchange(n, 0) > 0;
}

bool
admission_is_evicted(const struct admission *l, const struct admission_ticket *t)
{
	return t->early != ADMISSION_NO_PLACE && atomic_load(&earlies(l)[t->early].who) & GO;
}

int
admission_time(const struct admission *l, int full_ms)
{
	int early = atomic_load(&l->shared->early), most_early = (int)l->conf.early, half = (most_early + 1) / 2;
	int64_t ms;

	if (early <= half)
		return full_ms;
	ms = early < most_early ? (int64_t)full_ms * (most_early - early) / (most_early - half) : 0;
	return ms < full_ms / 8 ? full_ms / 8 : (int)ms;
}

void
admission_lost(struct admission *l, unsigned worker)
{
	unsigned i, discounted = 0;

	for (i = 0; i < early_places(l); i++) {
		struct early *e = &earlies(l)[i];
		unsigned long long who = atomic_load(&e->who);

		if (who & TAKEN && worker_of(who) == worker) {
			discounted += !claim(l, e);
			atomic_store(&e->who, 0);
		}
	}
	for (i = 0; i < places(l); i++)
		if (atomic_load(at(l, worker, i))) {
			leave(l, worker, i, discounted == 0);
			discounted -= discounted > 0;
		}
	atomic_store(&news(l)[worker], 0);
}
