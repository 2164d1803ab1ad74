/* ISC licence, see LICENSE. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/userdb.h"
#include "base/os.h"
#include "chain/limits.h"
#include "dialogue.h"
#include "stage/stage.h"

enum {
	ATTEMPTS = 3,
	ATTEMPTS_MAX = 100,
	WAIT_MAX_S = 3600,
	TROUBLE_ROOM = 512, /* of what is said about a file */
};

static int
usage(void)
{
	fputs("usage: authd [-p] [-a attempts] [-c certs.cdb] [-m mechanisms] [-t seconds] " STAGE_USAGE
	    " -u users.cdb | -s service prog [arg ...]\n", stderr);
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

/* Open store and table, where they are given; both or none. 0, or -1 with errno and what is wrong in text. */
static int
open_tables(const struct authd *a, struct userdb *db, struct table *certs, char *text, size_t cap)
{
	const char *why;
	int e;

	if (a->store && userdb_open(db, a->store, &why) < 0) {
		e = errno;
		snprintf(text, cap, "%s: %s", a->store, why ? why : strerror(e));
		errno = e;
		return -1;
	}
	if (a->certs_path && table_open(certs, a->certs_path) < 0) {
		e = errno;
		snprintf(text, cap, "%s: %s", a->certs_path, e == EPROTO ? "not a cdb" : strerror(e));
		if (a->store)
			userdb_close(db);
		errno = e;
		return -1;
	}
	return 0;
}

/* Open the tables and start Cyrus. What goes wrong is told by the dialogue: to the log, and to the peer. */
static void
prepare(struct authd *a, const char *config, const char *mechs, char *text, size_t cap)
{
	os_undumpable(); /* passwords come through here: no core, and no tracer of our uid; exec makes it as it was */
	a->trouble_exit = CHAIN_MISUSE;
	if (open_tables(a, a->db, a->certs, text, cap) < 0) {
		if (errno != EINVAL && errno != EPROTO && errno != ENOENT && errno != EACCES)
			a->trouble_exit = CHAIN_LATER;
		a->trouble = text;
	} else if (sasl_service_open(&a->service, a->store ? a->db : NULL, a->certs_path ? a->certs : NULL, config, mechs,
	    &a->trouble) == 0)
		a->trouble = NULL;
}

/* SIGHUP: store and table as they are now. What Cyrus was configured with by -s stays: a process reads it once. */
static int
reload(void *conf, const struct log *log)
{
	struct authd *a = conf;
	struct userdb db;
	struct table certs;
	char text[TROUBLE_ROOM];

	if (open_tables(a, &db, &certs, text, sizeof text) < 0) {
		log_error(log, "failed", "%s", text);
		return -1;
	}
	if (a->store) {
		userdb_close(a->db);
		*a->db = db;
	}
	if (a->certs_path) {
		table_close(a->certs);
		*a->certs = certs;
	}
	return 0;
}

int
main(int argc, char *argv[])
{
	static const struct stage stage = {
		.name = "authd", .kind = STAGE_SESSION, .owner = FACTS_AUTHD, .serve = authd_serve, .reload = reload
	};
	struct authd a = { .attempts = ATTEMPTS, .wait_ms = CHAIN_COMMAND_WAIT_S * 1000 };
	const char *config = NULL, *mechs = NULL;
	struct stage_options options;
	struct userdb db;
	struct table certs;
	char trouble[TROUBLE_ROOM];
	int c;

	stage_options(&options);
	while ((c = getopt(argc, argv, "+a:c:m:ps:t:u:" STAGE_OPTIONS)) != -1) {
		switch (c) {
		case 'a':
			a.attempts = number(optarg, ATTEMPTS_MAX);
			break;
		case 'c':
			a.certs_path = optarg;
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
		case 'u':
			a.store = optarg;
			break;
		default:
			if (c == '?' || stage_option(&options, "authd", c, optarg) < 0)
				return usage();
		}
	}
	a.next = argv + optind;
	if (!*a.next || !a.store == !config || !a.attempts || !a.wait_ms)
		return usage();
	a.db = &db;
	a.certs = &certs;
	prepare(&a, config, mechs, trouble, sizeof trouble);
	if (a.trouble && options.path) { /* its supervisor is to know */
		fprintf(stderr, "authd: %s\n", a.trouble);
		return a.trouble_exit;
	}
	return stage_run(&stage, &a, &options);
}
