/* ISC licence, see LICENSE. */
#include "auth/penalty.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mix.h"
#include "base/number.h"
#include "base/os.h"

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "a lock would be another one in each process that shares the table");

/*
 * An address that wants to try more than a score fades gets nowhere: it hears 421 until the score has faded below
 * refuse, and each refused session adds a little.
 */
const struct penalty_grade penalty_grades[PENALTY_GRADES] = {
	[PENALTY_HOST] = { .bits4 = 32, .bits6 = 64, .slow = 3, .refuse = 12, .shut = 24, .most = 48, .fade = 12 },
	[PENALTY_NEAR] = { .bits4 = 24, .bits6 = 56, .slow = 30, .refuse = 60, .shut = 120, .most = 240, .fade = 60 },
	[PENALTY_WIDE] = { .bits4 = 16, .bits6 = 48, .slow = 150, .refuse = 300, .shut = 600, .most = 1200, .fade = 300 },
	[PENALTY_USER] = { .slow = 10, .refuse = 100, .shut = 1000, .most = 200, .fade = 100 },
};

/*
 * A slot is an id, and a value: its kind (8 bits), a time (32 bits), and a score or a part of a hash (24 bits). The
 * value alone says what the slot is worth, and changes at once. A new entry first gets its value, then its id: in
 * between, the entry that has to go has a small score, which it loses anyway.
 */
struct slot {
	atomic_ullong value; /* 0: free */
	atomic_ullong id;
};

enum {
	KIND_V4 = 1,     /* and the next two: nets of IPv4, by enum penalty_net */
	KIND_V6 = 4,     /* and the next two */
	KIND_USER = 7,
	KIND_REPEAT,     /* a wrong password of a user, from an address */
	KIND_HOST_KNOWN, /* an address where somebody has logged in */
	KIND_USER_KNOWN, /* a net where the user has */
	KIND_MASK = 0x7f,
	KIND_BLOCKED = 0x80, /* added: the time is that until which the net is blocked */
};

enum {
	WAYS = 8,              /* slots of a set: an id may be in any of them */
	NET_SETS = 4096,       /* powers of 2 */
	USER_SETS = 1024,
	REPEAT_SETS = 2048,
	HOST_KNOWN_SETS = 2048,
	USER_KNOWN_SETS = 2048,
	NET_FIRST = 0,
	USER_FIRST = NET_FIRST + NET_SETS,
	REPEAT_FIRST = USER_FIRST + USER_SETS,
	HOST_KNOWN_FIRST = REPEAT_FIRST + REPEAT_SETS,
	USER_KNOWN_FIRST = HOST_KNOWN_FIRST + HOST_KNOWN_SETS,
	SETS = USER_KNOWN_FIRST + USER_KNOWN_SETS,
	TRIES = 100,           /* to change a slot that others change too, after which one deed is not counted */
	TIME_SHIFT = 8,
	SCORE_SHIFT = 40,
	SCORE_MAX = 0xffffff,
	KEY = 32,
	SKEW_S = 3600,         /* a time further in the future means that the clock was wrong */
	KNOWN_FRESH_S = 3600,  /* a login is noted again after this */
};

enum { HEAD = 8 };
static const char head[HEAD] = { 'M', 'S', 'A', 'p', 'e', 'n', '1', '\n' };
static const char table_name[] = "table", new_name[] = "table.new";

struct penalty_table {
	char head[HEAD];
	uint32_t order, size; /* a file of another machine is not ours */
	unsigned char key[KEY];
	atomic_ullong waiter[PENALTY_WAITERS]; /* until when, of clock_ms */
	struct slot slot[SETS * WAYS];
};

enum { ORDER = 0x01020304 };

static int
start(struct penalty_table *t)
{
	memcpy(t->head, head, HEAD);
	t->order = ORDER;
	t->size = sizeof *t;
	return os_random(t->key, KEY);
}

/* Map the file fd, if it can be ours. Returns 0, 1: it is not ours, or -1 with errno set. */
static int
map(struct penalty *p, int fd)
{
	struct penalty_table *t;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -1;
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1 || st.st_mode & (S_IRWXO) || st.st_size != sizeof *t)
		return 1;
	t = mmap(NULL, sizeof *t, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (t == MAP_FAILED)
		return -1;
	if (memcmp(t->head, head, HEAD) != 0 || t->order != ORDER || t->size != sizeof *t) {
		munmap(t, sizeof *t);
		return 1;
	}
	p->table = t;
	return 0;
}

/* Open and map the table. Returns 0, 1: it is not ours, 2: there is none, or -1 with errno set. */
static int
take(struct penalty *p, int directory)
{
	int fd = openat(directory, table_name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), r, e;

	if (fd < 0)
		return errno == ENOENT ? 2 : errno == ELOOP || errno == EISDIR || errno == ENXIO ? 1 : -1;
	r = map(p, fd);
	e = errno;
	close(fd);
	errno = e;
	return r;
}

/*
 * Make a new table and give it the name. It gets all its blocks now: a full disk must not kill a process that writes to
 * a page later. Returns 0, or -1 with errno set.
 */
static int
make(int directory)
{
	struct stat st;
	mode_t mode;
	int fd, r;

	if (fstat(directory, &st) < 0)
		return -1;
	unlinkat(directory, new_name, 0);
	fd = openat(directory, new_name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	mode = st.st_mode & S_IWGRP ? 0660 : 0600;
	if (geteuid() == 0 && fchown(fd, st.st_uid, st.st_gid) < 0) {
		/* root without CAP_CHOWN: then the file is root's */
	}
	r = fchmod(fd, mode);
	if (r == 0 && (errno = posix_fallocate(fd, 0, sizeof(struct penalty_table))) != 0)
		r = -1;
	if (r == 0) {
		struct penalty_table *t = mmap(NULL, sizeof *t, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		r = t == MAP_FAILED ? -1 : start(t);
		if (t != MAP_FAILED)
			munmap(t, sizeof *t);
	}
	if (r == 0)
		r = renameat(directory, new_name, directory, table_name);
	if (r < 0) {
		int e = errno;

		unlinkat(directory, new_name, 0);
		errno = e;
	}
	close(fd);
	return r;
}

int
penalty_open(struct penalty *p, const char *directory, const char **why)
{
	int fd = file_open_directory(directory, false, why), r, e;
	bool replaced;

	p->table = NULL;
	if (fd < 0)
		return -1;
	r = take(p, fd);
	/* The kernel ends the lock with the process. Who waited for it finds the table that another one made. */
	if (r > 0 && flock(fd, LOCK_EX) < 0)
		r = -1;
	if (r > 0)
		r = take(p, fd);
	replaced = r == 1;
	if (r > 0)
		r = make(fd) == 0 ? take(p, fd) : -1;
	if (r > 0) {
		errno = EBUSY; /* somebody who takes no lock has written there */
		r = -1;
	}
	e = errno;
	close(fd);
	errno = e;
	*why = strerror(e);
	return r < 0 ? -1 : replaced;
}

int
penalty_open_old(struct penalty *p, const char *directory, const char **why)
{
	int fd = file_open_directory(directory, false, why), r, e;

	p->table = NULL;
	if (fd < 0)
		return -1;
	r = take(p, fd);
	e = errno;
	close(fd);
	errno = r > 0 ? EINVAL : e;
	*why = r == 1 ? "the table is damaged, or not ours" : r == 2 ? "no table: authd and tlsd make it" : strerror(e);
	return r == 0 ? 0 : -1;
}

int
penalty_share(struct penalty *p)
{
	struct penalty_table *t = mmap(NULL, sizeof *t, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	p->table = NULL;
	if (t == MAP_FAILED)
		return -1;
	if (start(t) < 0) {
		munmap(t, sizeof *t);
		return -1;
	}
	p->table = t;
	return 0;
}

void
penalty_close(struct penalty *p)
{
	if (p->table)
		munmap(p->table, sizeof *p->table);
	p->table = NULL;
}

/* Ids */

/* A hash with the table's key of a kind and two octet strings; the first one ends with its NUL. */
static uint64_t
hash(const struct penalty *p, int kind, const char *user, const void *more, size_t n)
{
	unsigned char out[EVP_MAX_MD_SIZE], in[1 + 1024 + 1 + 1024];
	unsigned len = 0;
	size_t used = strnlen(user, 1023);
	uint64_t h = 0;

	if (n > 1024)
		n = 1024;
	in[0] = (unsigned char)kind;
	memcpy(in + 1, user, used);
	in[1 + used] = '\0';
	if (n > 0)
		memcpy(in + 2 + used, more, n);
	if (HMAC(EVP_sha256(), p->table->key, KEY, in, 2 + used + n, out, &len) && len >= sizeof h)
		memcpy(&h, out, sizeof h);
	explicit_bzero(in, sizeof in);
	explicit_bzero(out, sizeof out);
	return h;
}

/* The first bits of an address as a number, and its kind. */
static uint64_t
net_id(const struct ipaddr *a, enum penalty_net net, int *kind)
{
	bool v4 = ipaddr_is_v4(a);
	const unsigned char *from = a->octet + (v4 ? IPADDR_V4_BITS / 8 : 0);
	unsigned bits = v4 ? penalty_grades[net].bits4 : penalty_grades[net].bits6, i;
	uint64_t id = 0;

	for (i = 0; i < bits / 8; i++)
		id = id << 8 | from[i];
	*kind = (v4 ? KIND_V4 : KIND_V6) + (int)net;
	return id;
}

static void
net_text(char text[PENALTY_NET_TEXT], int kind, uint64_t id)
{
	bool v4 = kind < KIND_V6;
	int net = kind - (v4 ? KIND_V4 : KIND_V6);
	unsigned bits = v4 ? penalty_grades[net].bits4 : penalty_grades[net].bits6, i;
	unsigned char octet[16] = { 0 };
	struct ipaddr a;
	char ip[IPADDR_TEXT];

	for (i = bits / 8; i > 0; i--, id >>= 8)
		octet[i - 1] = (unsigned char)id;
	a = ipaddr_from_octets(v4 ? AF_INET : AF_INET6, octet);
	ipaddr_text(&a, ip);
	if (v4 && net == PENALTY_HOST)
		snprintf(text, PENALTY_NET_TEXT, "%s", ip);
	else
		snprintf(text, PENALTY_NET_TEXT, "%s/%u", ip, bits);
}

/* Slots */

/* Parts of an id: that it is an IPv4 address's, of KIND_HOST_KNOWN; and the user's, of KIND_USER_KNOWN. */
static const uint64_t V4_KNOWN = 1ull << 63, USER_PART = 0xffffffff00000000u;

struct place {
	struct slot *set;
	unsigned long long id;
	int kind;
};

/*
 * Of a /48 of IPv6 some known addresses have room, and of a user some known nets: one user who logs in from everywhere
 * cannot have all others forgotten.
 */
static struct place
place(const struct penalty *p, int kind, uint64_t id)
{
	unsigned first = NET_FIRST, sets = NET_SETS;
	uint64_t secret, some = id;

	if (kind == KIND_USER) {
		first = USER_FIRST;
		sets = USER_SETS;
	} else if (kind == KIND_REPEAT) {
		first = REPEAT_FIRST;
		sets = REPEAT_SETS;
	} else if (kind == KIND_HOST_KNOWN) {
		first = HOST_KNOWN_FIRST;
		sets = HOST_KNOWN_SETS;
		some = id & V4_KNOWN ? id : id & ~0xffc0ull;
	} else if (kind == KIND_USER_KNOWN) {
		first = USER_KNOWN_FIRST;
		sets = USER_KNOWN_SETS;
		some = id & (USER_PART | 3);
	}
	memcpy(&secret, p->table->key, sizeof secret);
	return (struct place){ &p->table->slot[(first + (mix(mix(some ^ secret) ^ (unsigned)kind) & (sets - 1))) * WAYS], id,
		kind };
}

static unsigned long long
value(int kind, int64_t time, unsigned score)
{
	return (unsigned long long)score << SCORE_SHIFT | (unsigned long long)(uint32_t)time << TIME_SHIFT |
	    (unsigned)kind;
}

static int
kind_of(unsigned long long v)
{
	return (int)(v & KIND_MASK);
}

static int64_t
time_of(unsigned long long v)
{
	return (int64_t)(uint32_t)(v >> TIME_SHIFT);
}

static unsigned
score_of(unsigned long long v)
{
	return (unsigned)(v >> SCORE_SHIFT);
}

/* Returns true if the value's time is at most age seconds ago. */
static bool
is_recent(unsigned long long v, int64_t age, int64_t now)
{
	return now - time_of(v) <= age && time_of(v) - now <= SKEW_S;
}

static bool
is_blocked(unsigned long long v, int64_t now)
{
	return v & KIND_BLOCKED && time_of(v) > now;
}

static const struct penalty_grade *
grade_of(int kind)
{
	if (kind == KIND_USER)
		return &penalty_grades[PENALTY_USER];
	return kind >= KIND_V4 && kind < KIND_USER ? &penalty_grades[(kind - KIND_V4) % 3] : NULL;
}

/* What is left of a score. */
static unsigned
faded(unsigned long long v, int64_t now)
{
	const struct penalty_grade *g = grade_of(kind_of(v));
	unsigned score = score_of(v);
	int64_t past = now - time_of(v), less;

	if (!g || v & KIND_BLOCKED || past < -SKEW_S)
		return 0;
	less = past <= 0 ? 0 : past * g->fade * PENALTY_POINT / 3600;
	if (score > g->most * PENALTY_POINT)
		score = g->most * PENALTY_POINT;
	return less >= score ? 0 : score - (unsigned)less;
}

/* Find the slot. *v becomes its value. Returns NULL if there is none. */
static struct slot *
find(const struct place *at, unsigned long long *v)
{
	int i;

	for (i = 0; i < WAYS; i++) {
		*v = atomic_load(&at->set[i].value);
		if (kind_of(*v) == at->kind && atomic_load(&at->set[i].id) == at->id)
			return &at->set[i];
	}
	return NULL;
}

/* What an entry is worth: of those in a set, the cheapest has to go. */
static unsigned long long
worth(unsigned long long v, int64_t now)
{
	unsigned long long time = (unsigned long long)time_of(v);

	if (v == 0 || time_of(v) - now > SKEW_S)
		return is_blocked(v, now) ? ~0ull : 0;
	if (grade_of(kind_of(v)))
		return is_blocked(v, now) ? ~0ull : (unsigned long long)faded(v, now) << 32 | time;
	return time;
}

/* Put a new entry into its set. Returns 0, or -1: another process was faster, or the set is full of blocks. */
static int
put(const struct place *at, unsigned long long fresh, int64_t now)
{
	struct slot *s = at->set;
	unsigned long long v, least = ~0ull, old = 0;
	int i;

	for (i = 0; i < WAYS; i++) {
		v = atomic_load(&at->set[i].value);
		if (worth(v, now) < least) {
			least = worth(v, now);
			s = &at->set[i];
			old = v;
		}
	}
	if (least == ~0ull || !atomic_compare_exchange_strong(&s->value, &old, fresh))
		return -1;
	atomic_store(&s->id, at->id);
	return 0;
}

/* Add to a score. Returns what it was. */
static unsigned
grow(const struct penalty *p, int kind, uint64_t id, unsigned more, int64_t now)
{
	const struct place at = place(p, kind, id);
	unsigned most = grade_of(kind)->most * PENALTY_POINT, was, score;
	unsigned long long v;
	struct slot *s;
	int i;

	for (i = 0; i < TRIES; i++) {
		s = find(&at, &v);
		if (s && is_blocked(v, now))
			return most;
		was = s ? faded(v, now) : 0;
		score = was + more < most ? was + more : most;
		if (s ? atomic_compare_exchange_strong(&s->value, &v, value(kind, now, score)) :
		    put(&at, value(kind, now, score), now) == 0)
			return was;
	}
	return most;
}

/* Note when something was seen last. */
static void
note(const struct penalty *p, int kind, uint64_t id, int64_t now)
{
	const struct place at = place(p, kind, id);
	unsigned long long v;
	struct slot *s = find(&at, &v);

	if (s && is_recent(v, KNOWN_FRESH_S, now))
		return;
	if (s)
		atomic_compare_exchange_strong(&s->value, &v, value(kind, now, 0));
	else
		put(&at, value(kind, now, 0), now);
}

static bool
is_noted(const struct penalty *p, int kind, uint64_t id, int64_t now)
{
	const struct place at = place(p, kind, id);
	unsigned long long v;

	return find(&at, &v) && is_recent(v, PENALTY_KNOWN_S, now);
}

/* What is known of an address */

static uint64_t
known_host(const struct ipaddr *a)
{
	int kind;
	uint64_t id = net_id(a, PENALTY_HOST, &kind);

	return id ^ (kind == KIND_V6 ? 0 : V4_KNOWN); /* the two families apart: 8000::/1 has no address in use */
}

/* A user's own net is a little larger than an address: telephones change theirs. */
static uint64_t
known_user(const struct penalty *p, const struct ipaddr *a, const char *user)
{
	int kind;
	uint64_t id[2] = { net_id(a, ipaddr_is_v4(a) ? PENALTY_NEAR : PENALTY_WIDE, &kind), 0 };

	id[1] = (uint64_t)kind;
	return (hash(p, KIND_USER_KNOWN, user, NULL, 0) & USER_PART) |
	    (hash(p, KIND_USER_KNOWN, user, id, sizeof id) & ~USER_PART);
}

static bool
is_known(const struct penalty *p, const struct ipaddr *a, int64_t now)
{
	return is_noted(p, KIND_HOST_KNOWN, known_host(a), now);
}

/* Make the verdict worse, if this score is. */
static void
judge(struct penalty_verdict *v, const struct penalty_grade *g, unsigned score, bool blocked, int kind, uint64_t id)
{
	unsigned slow = g->slow * PENALTY_POINT, refuse = g->refuse * PENALTY_POINT;
	enum penalty_level level = blocked || score >= g->shut * PENALTY_POINT ? PENALTY_SHUT :
	    score >= refuse ? PENALTY_REFUSE : score > slow ? PENALTY_SLOW : PENALTY_FREE;
	int delay_ms = level == PENALTY_FREE ? 0 : level > PENALTY_SLOW ? PENALTY_DELAY_MS :
	    (int)((uint64_t)(score - slow) * PENALTY_DELAY_MS / (refuse - slow));

	if (level < v->level || (level == v->level && delay_ms <= v->delay_ms))
		return;
	*v = (struct penalty_verdict){ .level = level, .delay_ms = delay_ms, .score = score / PENALTY_POINT,
		.blocked = blocked };
	if (kind != KIND_USER)
		net_text(v->net, kind, id);
}

void
penalty_look(const struct penalty *p, const struct ipaddr *a, int64_t now, struct penalty_verdict *v)
{
	bool known = is_known(p, a, now);
	int net;

	*v = (struct penalty_verdict){ .level = PENALTY_FREE };
	for (net = PENALTY_HOST; net <= PENALTY_WIDE; net++) {
		unsigned long long was;
		int kind;
		uint64_t id = net_id(a, (enum penalty_net)net, &kind);
		const struct place at = place(p, kind, id);
		bool blocked;

		if (!find(&at, &was))
			continue;
		blocked = is_blocked(was, now);
		if (net == PENALTY_HOST || !known || blocked)
			judge(v, &penalty_grades[net], faded(was, now), blocked, kind, id);
	}
}

unsigned
penalty_user_score(const struct penalty *p, const char *user, int64_t now)
{
	const struct place at = place(p, KIND_USER, hash(p, KIND_USER, user, NULL, 0));
	unsigned long long v;

	return find(&at, &v) ? faded(v, now) : 0;
}

void
penalty_look_user(const struct penalty *p, const struct ipaddr *a, const char *user, int64_t now,
    struct penalty_verdict *v)
{
	unsigned score = penalty_user_score(p, user, now);
	bool own = is_noted(p, KIND_USER_KNOWN, known_user(p, a, user), now);

	*v = (struct penalty_verdict){ .level = PENALTY_FREE };
	if (!own)
		judge(v, &penalty_grades[PENALTY_USER], score, false, KIND_USER, 0);
}

/* What is over shut adds nothing to the larger nets: one address cannot shut its neighbours out. */
void
penalty_add(const struct penalty *p, const struct ipaddr *a, enum penalty_deed deed, int64_t now)
{
	int last = is_known(p, a, now) ? PENALTY_HOST : PENALTY_WIDE, net;

	for (net = PENALTY_HOST; net <= last; net++) {
		int kind;
		uint64_t id = net_id(a, (enum penalty_net)net, &kind);

		if (grow(p, kind, id, deed, now) >= penalty_grades[net].shut * PENALTY_POINT)
			break;
	}
}

void
penalty_prove(const struct penalty *p, struct penalty_proof *proof, const char *user, const char *password, size_t len)
{
	proof->hash = hash(p, KIND_REPEAT, user, password, len);
	proof->set = proof->hash != 0; /* or out of memory: then it counts */
}

/* Remember the password. Returns true if it was remembered already. */
static bool
is_repeated(const struct penalty *p, const struct ipaddr *a, const char *user, const struct penalty_proof *proof,
    int64_t now)
{
	uint64_t of[2];
	struct place at;
	unsigned part = (unsigned)(proof->hash & SCORE_MAX);
	int i, kind;

	of[0] = net_id(a, PENALTY_HOST, &kind);
	of[1] = (uint64_t)kind;
	at = place(p, KIND_REPEAT, hash(p, KIND_HOST_KNOWN, user, of, sizeof of));
	for (i = 0; i < WAYS; i++) {
		unsigned long long v = atomic_load(&at.set[i].value);

		if (kind_of(v) != KIND_REPEAT || score_of(v) != part || atomic_load(&at.set[i].id) != at.id ||
		    !is_recent(v, PENALTY_REPEAT_S, now))
			continue;
		atomic_compare_exchange_strong(&at.set[i].value, &v, value(KIND_REPEAT, now, part));
		return true;
	}
	put(&at, value(KIND_REPEAT, now, part), now);
	return false;
}

/* Returns false if it is the same again, and nothing was counted. */
static bool
count(const struct penalty *p, const struct ipaddr *a, const char *user, const struct penalty_proof *proof,
    enum penalty_deed deed, int64_t now)
{
	if (proof->set && is_repeated(p, a, user, proof, now))
		return false;
	penalty_add(p, a, deed, now);
	if (*user)
		grow(p, KIND_USER, hash(p, KIND_USER, user, NULL, 0), deed, now);
	return true;
}

bool
penalty_wrong(const struct penalty *p, const struct ipaddr *a, const char *user, const struct penalty_proof *proof,
    int64_t now)
{
	return count(p, a, user, proof, PENALTY_WRONG, now);
}

/* It is remembered apart from wrong ones: it will cost the whole if it is found wrong. */
void
penalty_unsure(const struct penalty *p, const struct ipaddr *a, const char *user, const struct penalty_proof *proof,
    int64_t now)
{
	const struct penalty_proof other = { .hash = ~proof->hash, .set = proof->set };

	count(p, a, user, &other, PENALTY_UNSURE, now);
}

void
penalty_right(const struct penalty *p, const struct ipaddr *a, const char *user, int64_t now)
{
	note(p, KIND_HOST_KNOWN, known_host(a), now);
	note(p, KIND_USER_KNOWN, known_user(p, a, user), now);
}

/* Delays */

int
penalty_wait(const struct penalty *p, int delay_ms, unsigned most, int64_t now_ms)
{
	unsigned i;

	for (i = 0; i < PENALTY_WAITERS && i < most; i++) {
		atomic_ullong *w = &p->table->waiter[i];
		unsigned long long until = atomic_load(w);

		/* One that is far away is of a time before the machine was started. */
		if (until > (unsigned long long)now_ms && until <= (unsigned long long)now_ms + PENALTY_DELAY_MS)
			continue;
		if (atomic_compare_exchange_strong(w, &until, (unsigned long long)(now_ms + delay_ms)))
			return (int)i;
	}
	return -1;
}

void
penalty_waited(const struct penalty *p, int number)
{
	atomic_store(&p->table->waiter[number], 0);
}

/* msa-penalty */

int
penalty_net_parse(const char *text, struct ipaddr *a, enum penalty_net *net)
{
	char ip[IPADDR_TEXT];
	size_t n = strcspn(text, "/");
	long long bits;
	int i;

	if (n >= sizeof ip)
		return -1;
	memcpy(ip, text, n);
	ip[n] = '\0';
	if (ipaddr_parse(a, ip) < 0)
		return -1;
	*net = PENALTY_HOST;
	if (!text[n])
		return 0;
	if (number_parse(text + n + 1, 0, 128, &bits) < 0)
		return -1;
	for (i = PENALTY_HOST; i <= PENALTY_WIDE; i++)
		if (bits == (ipaddr_is_v4(a) ? penalty_grades[i].bits4 : penalty_grades[i].bits6)) {
			*net = (enum penalty_net)i;
			return 0;
		}
	return -1;
}

bool
penalty_next(const struct penalty *p, size_t *at, int64_t now, struct penalty_entry *e)
{
	struct penalty_verdict verdict;
	struct slot *s;

	for (; *at < (size_t)NET_SETS * WAYS;) {
		unsigned long long v, id;
		int kind;

		s = &p->table->slot[(*at)++];
		v = atomic_load(&s->value);
		id = atomic_load(&s->id);
		kind = kind_of(v);
		if (kind < KIND_V4 || kind >= KIND_USER || (faded(v, now) == 0 && !is_blocked(v, now)))
			continue;
		verdict = (struct penalty_verdict){ .level = PENALTY_FREE };
		judge(&verdict, grade_of(kind), faded(v, now), is_blocked(v, now), kind, id);
		*e = (struct penalty_entry){ .score = faded(v, now), .level = verdict.level,
			.until = is_blocked(v, now) ? time_of(v) : 0 };
		net_text(e->net, kind, id);
		return true;
	}
	return false;
}

/* Two processes that were the first to count something at the same time have made two entries: clear all. */
static bool
clear(const struct penalty *p, int kind, uint64_t id)
{
	const struct place at = place(p, kind, id);
	unsigned long long v;
	struct slot *s;
	bool any = false;
	int i;

	for (i = 0; i < WAYS && (s = find(&at, &v)); i++, any = true)
		atomic_store(&s->value, 0);
	return any;
}

bool
penalty_clear(const struct penalty *p, const struct ipaddr *a, enum penalty_net net)
{
	int kind;
	uint64_t id = net_id(a, net, &kind);

	return clear(p, kind, id);
}

bool
penalty_clear_user(const struct penalty *p, const char *user)
{
	return clear(p, KIND_USER, hash(p, KIND_USER, user, NULL, 0));
}

int
penalty_block(const struct penalty *p, const struct ipaddr *a, enum penalty_net net, int64_t until, int64_t now)
{
	int kind, i;
	uint64_t id = net_id(a, net, &kind);
	const struct place at = place(p, kind, id);
	unsigned long long v, fresh = value(kind | KIND_BLOCKED, until, 0);
	struct slot *s;

	for (i = 0; i < TRIES; i++) {
		s = find(&at, &v);
		if (s ? atomic_compare_exchange_strong(&s->value, &v, fresh) : put(&at, fresh, now) == 0)
			return 0;
	}
	return -1;
}
