/* ISC licence, see LICENSE. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "auth/penalty.h"
#include "auth/userdb_name.h"
#include "base/number.h"
#include "base/program.h"
#include "base/username.h"
#include "chain/limits.h"

#define complain(...) program_complain("msa-penalty", __VA_ARGS__)

enum {
	DAY_S = 86400,
	BLOCK_MAX_S = 10 * 365 * DAY_S,
};

/* What the usage says after the name. */
static const char usage_words[] = "[-q | -b net | -c net | -c user] [-t seconds] directory";

static int
usage(void)
{
	fprintf(stderr, "usage: msa-penalty %s\n", usage_words);
	return CHAIN_MISUSE;
}

static const char *
name_of(enum penalty_level level)
{
	static const char *const names[] = { "free", "delayed", "refused", "shut" };

	return names[level];
}

/* By what is worst: the level, then the score, then the name. */
static int
compare(const void *a, const void *b)
{
	const struct penalty_entry *x = a, *y = b;

	if (x->level != y->level)
		return x->level < y->level ? 1 : -1;
	if (x->score != y->score)
		return x->score < y->score ? 1 : -1;
	return strcmp(x->net, y->net);
}

/* Print every net with a score. Returns an exit code. */
static int
list(const struct penalty *p, bool all, int64_t now)
{
	struct penalty_entry *e = NULL, *more;
	size_t at = 0, n = 0, cap = 0, i;

	for (;; n++) {
		if (n == cap) {
			cap = cap ? 2 * cap : 256;
			more = realloc(e, cap * sizeof *e);
			if (!more) {
				free(e);
				return complain(CHAIN_LATER, "%s", strerror(ENOMEM));
			}
			e = more;
		}
		if (!penalty_next(p, &at, now, &e[n]))
			break;
	}
	qsort(e, n, sizeof *e, compare);
	for (i = 0; i < n; i++)
		if (e[i].until)
			printf("%s blocked for=%lld\n", e[i].net, (long long)(e[i].until - now));
		else if (all || e[i].level > PENALTY_FREE)
			printf("%s %s failures=%u.%u\n", e[i].net, name_of(e[i].level), e[i].score / PENALTY_POINT,
			    e[i].score % PENALTY_POINT / (PENALTY_POINT / 10));
	free(e);
	return CHAIN_DONE;
}

/* Say what an address may do now: after a change, another net may still refuse it. */
static void
say(const struct penalty *p, const struct ipaddr *a, int64_t now)
{
	struct penalty_verdict v;
	char ip[IPADDR_TEXT];

	ipaddr_text(a, ip);
	penalty_look(p, a, now, &v);
	if (v.level == PENALTY_FREE)
		printf("%s: free\n", ip);
	else
		printf("%s: %s for what %s did\n", ip, v.blocked ? "blocked" : name_of(v.level), v.net);
}

/* Forget what is counted of a net, or of a user. Returns an exit code. */
static int
clear(const struct penalty *p, const char *what, int64_t now)
{
	char user[USERDB_NAME_MAX + 1];
	enum penalty_net net;
	struct ipaddr a;

	if (penalty_net_parse(what, &a, &net) == 0) {
		if (!penalty_clear(p, &a, net))
			printf("%s: nothing was counted\n", what);
		say(p, &a, now);
		return CHAIN_DONE;
	}
	if (strchr(what, '/') || userdb_name(user, what, strlen(what)) < 0)
		return complain(CHAIN_MISUSE, "%s: not an address, a net of penalties, or a user", what);
	username_fold(user, user, strlen(user));
	printf("%s: %s\n", user, penalty_clear_user(p, user) ? "cleared" : "nothing was counted");
	return CHAIN_DONE;
}

static int
block(const struct penalty *p, const char *what, long long seconds, int64_t now)
{
	enum penalty_net net;
	struct ipaddr a;

	if (penalty_net_parse(what, &a, &net) < 0)
		return complain(CHAIN_MISUSE, "%s: not an address, or a net of penalties: /24, /16; /64, /56, /48", what);
	if (penalty_block(p, &a, net, now + seconds, now) < 0)
		return complain(CHAIN_LATER, "%s: no room beside other blocks", what);
	say(p, &a, now);
	return CHAIN_DONE;
}

int
main(int argc, char *argv[])
{
	const char *blocked = NULL, *cleared = NULL, *why;
	long long seconds = 0;
	int64_t now = time(NULL);
	bool worst = false;
	struct penalty p;
	int c, r;

	if (program_answers("msa-penalty", usage_words, argc, argv))
		return 0;
	while ((c = getopt(argc, argv, "+b:c:qt:")) != -1)
		if (c == 'b')
			blocked = optarg;
		else if (c == 'c')
			cleared = optarg;
		else if (c == 'q')
			worst = true;
		else if (c != 't')
			return usage();
		else if (number_parse(optarg, 1, BLOCK_MAX_S, &seconds) < 0)
			return complain(CHAIN_MISUSE, "-t %s: not a number from 1 to %d", optarg, BLOCK_MAX_S);
	if (argc - optind != 1 || (blocked && cleared) || (seconds && !blocked) || (worst && (blocked || cleared)))
		return usage();
	if (penalty_open_old(&p, argv[optind], &why) < 0)
		return complain(errno == EPERM || errno == EINVAL ? CHAIN_MISUSE : CHAIN_LATER, "%s: %s", argv[optind], why);
	if (blocked)
		r = block(&p, blocked, seconds ? seconds : DAY_S, now);
	else if (cleared)
		r = clear(&p, cleared, now);
	else
		r = list(&p, !worst, now);
	penalty_close(&p);
	if (fflush(stdout) != 0 && r == CHAIN_DONE)
		r = complain(CHAIN_LATER, "standard output: %s", strerror(errno));
	return r;
}
