/* ISC licence, see LICENSE. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/oauth.h"
#include "auth/passcache.h"
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
	AGE_MAX_S = 86400,
	SOCKET_MAX = 108,   /* octets of the path of a Unix socket, with a NUL */
	TROUBLE_ROOM = 512, /* octets of the text about a file that cannot be used */
};

struct conf {
	struct authd authd; /* what the dialogue needs */
	struct userdb db;
	struct table certs;
	const char *config, *mechs, *realm; /* -s, -m, -r */
	bool only_realm;                    /* -e */
	struct backend backend;             /* -k, -D */
	const char *penalties;              /* -g */
	char unusable[TROUBLE_ROOM];        /* why that directory is, if asked; "": it is not */
	int age_s;                          /* -M; 0: nothing is remembered */
	struct passcache *cache;
	char *words[NEXT_WORDS + 2];        /* of -k: the program's, and "true" */
	struct oauth_conf oauth;            /* -o, -S, -O */
	char *verifier[NEXT_WORDS + 2];     /* of -o, as words */
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

/*
 * Open the table of who guesses. Without -g a resident has one in memory, which its workers share; an exec'd stage
 * serves one session, and has nobody to share one with. Returns 0, or -1 with errno and the text set.
 */
static int
open_penalties(struct conf *conf, const struct instance *i)
{
	struct authd *a = &conf->authd;
	const char *why = "";
	int r = 0, e, fd;

	a->waiters = PENALTY_WAITERS;
	if (i->options.path && (unsigned)i->options.max / 4 < a->waiters) /* of a few workers none would be left */
		a->waiters = (unsigned)i->options.max / 4;
	if (i->asked && conf->penalties) { /* with the uid that opens it */
		fd = file_open_directory(conf->penalties, false, &why);
		if (fd < 0)
			snprintf(conf->unusable, sizeof conf->unusable, "%s", why);
		else
			close(fd);
	}
	if (i->asked)
		return 0;
	if (conf->penalties)
		r = penalty_open(&a->penalty, conf->penalties, &why);
	else if (i->options.path && (r = penalty_share(&a->penalty)) < 0)
		why = strerror(errno);
	e = errno;
	if (r < 0)
		snprintf(conf->trouble, sizeof conf->trouble, "%s: %s", conf->penalties ? conf->penalties : "penalties", why);
	a->replaced = r > 0 && !i->options.path; /* logged at the call: standard error may be the client */
	if (r > 0 && i->options.path)
		fprintf(stderr, "authd: %s: the table was damaged, and is a new one\n", conf->penalties);
	errno = e;
	return r < 0 ? -1 : 0;
}

/* Open the tables and start Cyrus. If that fails, a->trouble is set, and authd_serve logs it and answers 421. */
static void
prepare(struct conf *conf, const struct instance *i)
{
	struct authd *a = &conf->authd;
	const struct sasl_conf sasl = {
		.db = a->store ? a->db : NULL,
		.certs = a->certs_path ? a->certs : NULL,
		.backend = conf->backend.program || conf->backend.socket ? &conf->backend : NULL,
		.config = conf->config,
		.mechs = conf->mechs,
		.realm = conf->realm,
		.only_realm = conf->only_realm,
		.cache = conf->cache,
		.oauth = conf->oauth.program ? &conf->oauth : NULL,
	};

	conf->backend.realm = conf->realm;
	a->trouble_exit = CHAIN_MISUSE;
	if (open_penalties(conf, i) < 0 || open_tables(a, a->db, a->certs, conf->trouble, sizeof conf->trouble) < 0) {
		if (errno != EINVAL && errno != EPROTO && errno != ENOENT && errno != EACCES && errno != EPERM &&
		    errno != ENOTDIR && errno != EISDIR)
			a->trouble_exit = CHAIN_LATER;
		a->trouble = conf->trouble;
	} else if (sasl_service_open(&a->service, &sasl, &a->trouble) == 0) {
		a->trouble = NULL;
		a->service.penalty = a->penalty.table ? &a->penalty : NULL;
	}
}

/*
 * Open store and table anew: after SIGHUP, or when one has changed. The configuration of -s stays: Cyrus reads it only
 * once in a process.
 */
static int
reload(void *arg, const struct log *log)
{
	struct conf *conf = arg;
	struct authd *a = &conf->authd;
	struct userdb db;
	struct table certs;
	char text[TROUBLE_ROOM];

	if (conf->cache)
		passcache_clear(conf->cache);
	if (a->store)
		a->refused_store = table_file_look(a->store);
	if (a->certs_path)
		a->refused_certs = table_file_look(a->certs_path);
	if (open_tables(a, &db, &certs, text, sizeof text) < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) /* another attempt may succeed */
			a->refused_store = a->refused_certs = (struct table_file){ 0 };
		log_error(log, "failed", "%s", text);
		return -1;
	}
	if (a->store) {
		userdb_close(a->db);
		*a->db = db;
		a->refused_store = (struct table_file){ 0 };
	}
	if (a->certs_path) {
		table_close(a->certs);
		*a->certs = certs;
	}
	return 0;
}

static bool
changed(const void *arg)
{
	return authd_changed(&((const struct conf *)arg)->authd);
}

static int
serve(struct call *call, void *arg)
{
	return authd_serve(call, &((struct conf *)arg)->authd);
}

/* Take the words of -k or -o, and let program be them. Returns 0, or -1 as stage_wrong does. */
static int
take_program(char *words[NEXT_WORDS + 2], char *const **program, const char *option, char *value, struct instance *i)
{
	static char last[] = "true"; /* what the program becomes if the password, or the token, is right */
	struct next next;
	int n = 0;

	if (next_split(&next, words, value) < 0)
		return stage_wrong(i, option, "no words, or more than %d", NEXT_WORDS);
	while (words[n])
		n++;
	words[n] = last;
	words[n + 1] = NULL;
	*program = words;
	return 0;
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
	case 'D':
		conf->backend.socket = value;
		return strlen(value) < SOCKET_MAX && strchr(value, '/') ? 0 : stage_wrong(i, value, "not the path of a socket");
	case 'd':
		a->locked = value;
		return 0;
	case 'F':
		i->options.believe = true;
		return 0;
	case 'G':
		return proxyhdr_trust_add(&a->spared, value) == 0 ? 0 : stage_wrong(i, value, "not a list of addresses");
	case 'g':
		conf->penalties = value;
		return 0;
	case 'H':
		a->helo = true;
		return 0;
	case 'k':
		return take_program(conf->words, &conf->backend.program, "-k", value, i);
	case 'M':
		if (stage_number(i, letter, value, 1, AGE_MAX_S, &n) < 0)
			return -1;
		conf->age_s = (int)n;
		return 0;
	case 'm':
		conf->mechs = value;
		return 0;
	case 'O':
		conf->oauth.url = value;
		return oauth_is_url(value) ? 0 : stage_wrong(i, value, "not a URL of https");
	case 'o':
		return take_program(conf->verifier, &conf->oauth.program, "-o", value, i);
	case 'p':
		a->clear = true;
		return 0;
	case 'e':
		conf->only_realm = true;
		return 0;
	case 'r':
		conf->realm = value;
		return addr_is_domain(value, strlen(value)) ? 0 : stage_wrong(i, value, "not a domain");
	case 'S':
		conf->oauth.scope = value;
		return oauth_is_scope(value) ? 0 : stage_wrong(i, value, "not a scope");
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
	int backends = (conf->config != NULL) + (conf->backend.program != NULL) + (conf->backend.socket != NULL);

	if (backends > 1 || (backends == 0 && !a->store && !conf->oauth.program))
		return -1;
	if (conf->only_realm && !conf->realm)
		return stage_wrong(i, "-e", "needs -r");
	if ((conf->oauth.scope || conf->oauth.url) && !conf->oauth.program)
		return stage_wrong(i, conf->oauth.scope ? "-S" : "-O", "needs -o");
	if ((conf->backend.program || conf->oauth.program) && geteuid() == 0 && !i->options.user)
		return stage_wrong(i, conf->oauth.program ? "-o" : "-k", "no program is run as root: -U is missing");
	if (conf->age_s > 0 && !i->options.path)
		return stage_wrong(i, "-M", "a process for each session remembers nothing: -l is missing");
	if (conf->age_s > 0 && !a->store)
		return stage_wrong(i, "-M", "only passwords of a store are remembered: -u is missing");
	/* Before the workers start, which share the cache. */
	if (conf->age_s > 0 && !i->asked && !(conf->cache = passcache_new(PASSCACHE_SETS, (int64_t)conf->age_s * 1000))) {
		fprintf(stderr, "authd: -M: %s\n", strerror(errno));
		return CHAIN_LATER;
	}
	a->db = &conf->db;
	a->certs = &conf->certs;
	prepare(conf, i);
	if (!a->trouble || !i->options.path || i->asked) /* an exec'd stage reports the trouble when it serves */
		return 0;
	fprintf(stderr, "authd: %s\n", a->trouble);
	return a->trouble_exit;
}

/* Somebody must be able to log in. */
static void
examine(const void *arg, struct instance *i)
{
	const struct conf *conf = arg;
	const struct authd *a = &conf->authd;
	bool alone = !conf->config && !conf->backend.program && !conf->backend.socket && !conf->oauth.program;
	size_t users, without;
	struct stat st;

	if (conf->backend.program)
		finding_fact("program", conf->words[0]);
	if (conf->oauth.program)
		finding_fact("program", conf->verifier[0]);
	if (conf->backend.socket && (stat(conf->backend.socket, &st) < 0 || !S_ISSOCK(st.st_mode)))
		stage_found(i, conf->backend.socket, "Dovecot makes it: service auth, unix_listener", "no socket is there");
	if (a->locked && (stat(a->locked, &st) < 0 || !S_ISDIR(st.st_mode)))
		stage_found(i, a->locked, "make it: root's, mode 0755", "no directory is there, so that nobody can log in");
	if (*conf->unusable)
		stage_found(i, conf->penalties, NULL, "%s", conf->unusable);
	if (a->trouble)
		stage_found(i, "", a->store && strncmp(a->trouble, a->store, strlen(a->store)) == 0 &&
		    strstr(a->trouble, "not a cdb") ? "make it with msa-passwd" : NULL, "%s", a->trouble);
	else if (a->store && userdb_count(a->db, &users, &without) < 0)
		stage_found(i, a->store, "restore it, or make it anew with msa-passwd", "damaged");
	else if (a->store && users == 0 && alone)
		stage_found(i, a->store, "msa-passwd adds one", "no user is in it, so nobody can log in");
	else if (a->store && without > 0 && alone && !a->certs_path)
		finding_warning(i->asked, a->store, "msa-passwd sets it, msa-passwd -d removes a user",
		    "users without a password: %zu", without);
}

/* A mechanism of Cyrus SASL may do anything; ours have all they need in memory. */
static void
claim(const void *arg, struct claims *c)
{
	const struct conf *conf = arg;

	if (conf->config || conf->backend.program || conf->oauth.program)
		stage_starts(c);
	else
		stage_reads(c, "/dev/urandom"); /* for SCRAM's nonces; without it Cyrus takes the time */
	if (conf->backend.socket)
		stage_connects(c, 0);
}

const struct stage authd_stage = {
	.name = "authd",
	.kind = STAGE_SESSION,
	.owner = FACTS_AUTHD,
	.next = STAGE_HANDS_ON,
	.options = "a:c:D:d:eFG:g:Hk:M:m:O:o:pr:S:s:t:u:",
	.usage = "[-eFHp] [-a attempts] [-c certs.cdb] [-d locked] [-G addresses] [-g penalties] [-M seconds] [-m mechanisms] "
	    "[-r realm] [-t seconds] " STAGE_USAGE " [-u users.cdb] [-D socket | -k check | -s service] "
	    "[-o verifier [-O url] [-S scope]] prog [arg ...]",
	.conf_size = sizeof(struct conf),
	.init = init,
	.option = option,
	.check = check,
	.claim = claim,
	.serve = serve,
	.reload = reload,
	.changed = changed,
	.examine = examine,
};
