/* ISC licence, see LICENSE. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "auth/userdb.h"
#include "base/file.h"
#include "chain/limits.h"
#include "dialogue.h"
#include "smtp/addr.h"
#include "stage/instance.h"

enum {
	ATTEMPTS = 3,
	ATTEMPTS_MAX = 100,
	WAIT_MAX_S = 3600,
	TROUBLE_ROOM = 512, /* octets of the text about a file that cannot be used */
};

struct conf {
	struct authd authd; /* what the dialogue needs */
	struct userdb db;
	struct table certs;
	const char *config, *mechs, *realm; /* -s, -m, -r */
	char trouble[TROUBLE_ROOM];
};

/* Open the store and the table that the options name: all or none. Returns 0, or -1 with errno and text set. */
static int
open_tables(const struct authd *a, struct userdb *db, struct table *certs, char *text, size_t cap)
{
	const char *why = NULL;
	int fd = a->store ? file_open_secret(a->store, &why) : -1, e;

	if (a->store && (fd < 0 || userdb_take(db, fd, &why) < 0)) {
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

/* Open the tables and start Cyrus. If that fails, a->trouble is set, and authd_serve logs it and answers 421. */
static void
prepare(struct conf *conf)
{
	struct authd *a = &conf->authd;
	const struct sasl_conf sasl = {
		.db = a->store ? a->db : NULL,
		.certs = a->certs_path ? a->certs : NULL,
		.config = conf->config,
		.mechs = conf->mechs,
		.realm = conf->realm,
	};

	a->trouble_exit = CHAIN_MISUSE;
	if (open_tables(a, a->db, a->certs, conf->trouble, sizeof conf->trouble) < 0) {
		if (errno != EINVAL && errno != EPROTO && errno != ENOENT && errno != EACCES && errno != EPERM)
			a->trouble_exit = CHAIN_LATER;
		a->trouble = conf->trouble;
	} else if (sasl_service_open(&a->service, &sasl, &a->trouble) == 0)
		a->trouble = NULL;
}

/* SIGHUP: open store and table anew. The configuration of -s stays: Cyrus reads it only once in a process. */
static int
reload(void *arg, const struct log *log)
{
	struct authd *a = &((struct conf *)arg)->authd;
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

static int
serve(struct call *call, void *arg)
{
	return authd_serve(call, &((struct conf *)arg)->authd);
}

static void
init(void *arg)
{
	struct authd *a = &((struct conf *)arg)->authd;

	*a = (struct authd){ .attempts = ATTEMPTS, .wait_ms = CHAIN_COMMAND_WAIT_S * 1000 };
}

static int
option(void *arg, int letter, char *value, struct instance *i)
{
	struct conf *conf = arg;
	struct authd *a = &conf->authd;
	long long n;

	switch (letter) {
	case 'a':
		if (stage_number(i, letter, value, 1, ATTEMPTS_MAX, &n) < 0)
			return -1;
		a->attempts = (int)n;
		return 0;
	case 'c':
		a->certs_path = value;
		return 0;
	case 'F':
		i->options.believe = true;
		return 0;
	case 'H':
		a->helo = true;
		return 0;
	case 'm':
		conf->mechs = value;
		return 0;
	case 'p':
		a->clear = true;
		return 0;
	case 'r':
		conf->realm = value;
		return addr_is_domain(value, strlen(value)) ? 0 : stage_wrong(i, value, "not a domain");
	case 's':
		conf->config = value;
		return 0;
	case 't':
		if (stage_number(i, letter, value, 1, WAIT_MAX_S, &n) < 0)
			return -1;
		a->wait_ms = (int)n * 1000;
		return 0;
	default:
		a->store = value;
		return 0;
	}
}

static int
check(void *arg, struct instance *i)
{
	struct conf *conf = arg;
	struct authd *a = &conf->authd;

	if (!a->store == !conf->config)
		return -1;
	a->db = &conf->db;
	a->certs = &conf->certs;
	prepare(conf);
	if (!a->trouble || !i->options.path || i->asked) /* an exec'd stage reports the trouble when it serves */
		return 0;
	fprintf(stderr, "authd: %s\n", a->trouble);
	return a->trouble_exit;
}

/* Somebody must be able to log in. */
static void
examine(const void *arg, struct instance *i)
{
	const struct authd *a = &((const struct conf *)arg)->authd;
	size_t users, without;

	if (a->trouble)
		stage_found(i, "", a->store && strncmp(a->trouble, a->store, strlen(a->store)) == 0 &&
		    strstr(a->trouble, "not a cdb") ? "make it with msa-passwd" : NULL, "%s", a->trouble);
	else if (a->store && userdb_count(a->db, &users, &without) < 0)
		stage_found(i, a->store, "restore it, or make it anew with msa-passwd", "damaged");
	else if (a->store && users == 0)
		stage_found(i, a->store, "msa-passwd adds one", "no user is in it, so nobody can log in");
	else if (a->store && without > 0 && !a->certs_path)
		finding_warning(i->asked, a->store, "msa-passwd sets it, msa-passwd -d removes a user",
		    "users without a password: %zu", without);
}

/* A mechanism of Cyrus SASL may do anything; ours have all they need in memory. */
static void
claim(const void *arg, struct claims *c)
{
	if (((const struct conf *)arg)->config)
		stage_starts(c);
	else
		stage_reads(c, "/dev/urandom"); /* for SCRAM's nonces; without it Cyrus takes the time */
}

const struct stage authd_stage = {
	.name = "authd",
	.kind = STAGE_SESSION,
	.owner = FACTS_AUTHD,
	.next = STAGE_HANDS_ON,
	.options = "a:c:FHm:pr:s:t:u:",
	.usage = "[-FHp] [-a attempts] [-c certs.cdb] [-m mechanisms] [-r realm] [-t seconds] " STAGE_USAGE
	    " -u users.cdb | -s service prog [arg ...]",
	.conf_size = sizeof(struct conf),
	.init = init,
	.option = option,
	.check = check,
	.claim = claim,
	.serve = serve,
	.reload = reload,
	.examine = examine,
};
