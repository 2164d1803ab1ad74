/* ISC licence, see LICENSE. */
#ifndef MSA_AUTH_PENALTY_H
#define MSA_AUTH_PENALTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/ipaddr.h"

/*
 * Who guesses passwords: a table of scores that all processes of a service share, in a file or in memory.
 *
 * Each wrong password adds to the score of the address, of its nets, and of the user whom it was tried for. A score
 * fades evenly. What a score means is in penalty_grades.
 *
 * - The same wrong password of the same user again, from the same address, adds nothing: a forgotten phone.
 * - A success takes nothing from any score. An address that a user has logged in from lately counts alone: the scores
 *   of the nets around it are not its own, and it adds nothing to them.
 * - The score of a user slows and refuses only clients in nets where this user has not logged in lately. Whether the
 *   user exists plays no part.
 *
 * The table has a fixed size. Where it is full, the lowest score makes room. No process locks it: each slot changes by
 * one atomic operation, so that a process may be killed anywhere. Nothing in it is believed to be valid.
 *
 * No password is in the table, and no name of a user: only hashes with the table's own random key, and 24 bits of that
 * of a password. With the key, 24 bits leave every sixteen-millionth password of a list.
 *
 * Times are seconds since 1970, passed in.
 */
enum {
	PENALTY_POINT = 1000,           /* the unit of a score: a wrong password */
	PENALTY_KNOWN_S = 30 * 86400,   /* a login lately */
	PENALTY_REPEAT_S = 7 * 86400,   /* for so long a wrong password is remembered after its last use */
	PENALTY_DELAY_MS = 5000,        /* the longest delay of an answer */
	PENALTY_WAITERS = 32,           /* delays at the same time, of all processes */
	PENALTY_NET_TEXT = IPADDR_TEXT + 4,
};

/* The nets of an address. The last two are there so that nobody gains by having many addresses. */
enum penalty_net {
	PENALTY_HOST, /* an IPv4 address, or a /64 of IPv6 */
	PENALTY_NEAR, /* /24, /56 */
	PENALTY_WIDE, /* /16, /48 */
	PENALTY_USER, /* not a net: a user */
	PENALTY_GRADES,
};

/* What the scores of a net mean, in wrong passwords. */
struct penalty_grade {
	unsigned bits4, bits6; /* of the net's prefix */
	unsigned slow;    /* from here on answers are delayed, up to PENALTY_DELAY_MS at refuse */
	unsigned refuse;  /* from here on AUTH is refused */
	unsigned shut;    /* and from here on each connection */
	unsigned most;    /* a score grows no further */
	unsigned fade;    /* in an hour */
};
extern const struct penalty_grade penalty_grades[PENALTY_GRADES];

/* What a client has done, and what that adds to the scores of its address, in thousandths of a wrong password. */
enum penalty_deed {
	PENALTY_WRONG = 1000,  /* a wrong password */
	PENALTY_STALLED = 500, /* a handshake or a session that did not end before its deadline */
	PENALTY_BROKEN = 100,  /* a handshake that failed */
	PENALTY_UNSURE = 100,  /* a password that is not in the store, while the back end does not answer */
	PENALTY_NOTHING = 5,   /* a session that ended without a proof */
};

enum penalty_level {
	PENALTY_FREE,
	PENALTY_SLOW,
	PENALTY_REFUSE,
	PENALTY_SHUT,
};

struct penalty_verdict {
	enum penalty_level level;
	int delay_ms;         /* of PENALTY_SLOW */
	unsigned score;       /* whole wrong passwords */
	bool blocked;         /* by an administrator */
	char net[PENALTY_NET_TEXT]; /* that decided: "192.0.2.1", "192.0.2.0/24"; "" for a user, or for nobody */
};

struct penalty_table;

/* Zero-initialise. */
struct penalty {
	struct penalty_table *table; /* NULL: there is none, and the functions below must not be called */
};

/*
 * Open the table in a directory, and make it if it is missing or cannot be this program's. If others may write to the
 * directory (its group), so they may to the table.
 * Returns 0, 1: a file that was damaged, or not ours, was replaced, or -1 with errno set and *why the reason, valid
 * until the next call of strerror(3).
 */
int penalty_open(struct penalty *p, const char *directory, const char **why);

/* The same, but only a table that is there. Returns 0, or -1. */
int penalty_open_old(struct penalty *p, const char *directory, const char **why);

/* Make a table in memory that this process and its children share. Returns 0, or -1 with errno set. */
int penalty_share(struct penalty *p);

void penalty_close(struct penalty *p);

/* Judge an address: the worst of its nets. */
void penalty_look(const struct penalty *p, const struct ipaddr *a, int64_t now, struct penalty_verdict *v);

/* Judge an address that has just tried to be this user. */
void penalty_look_user(const struct penalty *p, const struct ipaddr *a, const char *user, int64_t now,
    struct penalty_verdict *v);

/* Count a deed. */
void penalty_add(const struct penalty *p, const struct ipaddr *a, enum penalty_deed deed, int64_t now);

/* What tells a wrong password from another. */
struct penalty_proof {
	uint64_t hash;
	bool set; /* false: nothing is known of the password, so it is a new one */
};
void penalty_prove(const struct penalty *p, struct penalty_proof *proof, const char *user, const char *password,
    size_t len);

/* Count a wrong password. user: "" if unknown. Returns false if it is the same again, and nothing was counted. */
bool penalty_wrong(const struct penalty *p, const struct ipaddr *a, const char *user, const struct penalty_proof *proof,
    int64_t now);

/*
 * Count a password that is not in the store, and may be the back end's, which did not answer: little, so that a site
 * whose back end is down is not locked out, and the store's passwords are not free to guess.
 */
void penalty_unsure(const struct penalty *p, const struct ipaddr *a, const char *user,
    const struct penalty_proof *proof, int64_t now);

/* The user has logged in from here. */
void penalty_right(const struct penalty *p, const struct ipaddr *a, const char *user, int64_t now);

/*
 * Ask for a delay of an answer: at most most (and PENALTY_WAITERS) processes wait at the same time. now_ms is clock_ms.
 * Returns a number for penalty_waited, or -1: too many wait. A process that is killed meanwhile waits for nobody.
 */
int penalty_wait(const struct penalty *p, int delay_ms, unsigned most, int64_t now_ms);
void penalty_waited(const struct penalty *p, int number);

/*
 * For msa-penalty(8).
 */

/* Parse "address[/bits]" where bits are those of one of its nets. Returns 0, or -1. */
int penalty_net_parse(const char *text, struct ipaddr *a, enum penalty_net *net);

struct penalty_entry {
	char net[PENALTY_NET_TEXT];
	unsigned score;        /* thousandths */
	enum penalty_level level;
	int64_t until;         /* blocked until then; 0: not blocked */
};

/* The next entry of a net with a score, or a block. *at starts as 0. Returns false at the end. */
bool penalty_next(const struct penalty *p, size_t *at, int64_t now, struct penalty_entry *e);

/* Returns the score of a user, in thousandths. */
unsigned penalty_user_score(const struct penalty *p, const char *user, int64_t now);

/* Forget a net's score and block, or a user's score. Returns true if there was one. */
bool penalty_clear(const struct penalty *p, const struct ipaddr *a, enum penalty_net net);
bool penalty_clear_user(const struct penalty *p, const char *user);

/* Block a net until then. Returns 0, or -1: there is no room beside other blocks. */
int penalty_block(const struct penalty *p, const struct ipaddr *a, enum penalty_net net, int64_t until, int64_t now);

#endif
