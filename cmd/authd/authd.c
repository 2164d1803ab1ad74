/* ISC licence, see LICENSE. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "dialogue.h"
#include "stage.h"
#include "userdb.h"

enum {
	ATTEMPTS = 3,
	ATTEMPTS_MAX = 100,
	WAIT_MAX_S = 3600,
};

static int
usage(void)
{
	fputs("usage: authd [-p] [-a attempts] [-m mechanisms] [-t seconds] [-U user] -u users.cdb | -s service "
	    "prog [arg ...]\n", stderr);
	return CHAIN_MISUSE;
}

/* A number from 1 to max, or 0. */
static int
number(const char *s, int max)
{
	char *end;
	long n = strtol(s, &end, 10);

	return *s >= '0' && *s <= '9' && *end == '\0' && n <= max ? (int)n : 0;
}

/* Open the store and start Cyrus; what goes wrong is said to the peer and in the log, in that order, by the dialogue. */
static void
prepare(struct authd *a, struct userdb *db, const char *store, const char *config, const char *mechs, char *text,
    size_t cap)
{
	const char *why;

	a->trouble_exit = CHAIN_MISUSE;
	if (store && userdb_open(db, store, &why) < 0) {
		if (errno != EINVAL && errno != ENOENT && errno != EACCES)
			a->trouble_exit = CHAIN_LATER;
		snprintf(text, cap, "%s: %s", store, why ? why : strerror(errno));
		a->trouble = text;
	} else if (sasl_service_open(&a->service, store ? db : NULL, config, mechs, &a->trouble) == 0)
		a->trouble = NULL;
}

int
main(int argc, char *argv[])
{
	static const struct stage stage = { "authd", STAGE_SESSION, FACTS_AUTHD, authd_serve };
	struct authd a = { .attempts = ATTEMPTS, .wait_ms = CHAIN_COMMAND_WAIT_S * 1000 };
	const char *store = NULL, *config = NULL, *mechs = NULL, *user = NULL;
	struct userdb db;
	char trouble[512];
	int c;

	while ((c = getopt(argc, argv, "+a:m:ps:t:U:u:")) != -1) {
		switch (c) {
		case 'a':
			a.attempts = number(optarg, ATTEMPTS_MAX);
			break;
		case 'm':
			mechs = optarg;
			break;
		case 'p':
			a.clear = true;
			break;
		case 's':
			config = optarg;
			break;
		case 't':
			a.wait_ms = number(optarg, WAIT_MAX_S) * 1000;
			break;
		case 'U':
			user = optarg;
			break;
		case 'u':
			store = optarg;
			break;
		default:
			return usage();
		}
	}
	a.next = argv + optind;
	if (!*a.next || !store == !config || !a.attempts || !a.wait_ms)
		return usage();
	prepare(&a, &db, store, config, mechs, trouble, sizeof trouble);
	return stage_run(&stage, &a, user);
}
