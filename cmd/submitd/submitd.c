/* ISC licence, see LICENSE. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "chain/limits.h"
#include "chain/offer.h"
#include "chain/offerfile.h"
#include "msa/buf.h"
#include "stage/instance.h"
#include "submit/session.h"

struct conf {
	struct session_conf session;
	struct fqdn fqdn;
	char *words[NEXT_WORDS + 1]; /* of -r's command */
	struct next check;            /* that command */
};

/* Parse a number from 1 to most. Returns 0, or -1 as stage_number does. */
static int
number(struct instance *i, int letter, const char *value, int most, int *to)
{
	long long n;

	if (stage_number(i, letter, value, 1, most, &n) < 0)
		return -1;
	*to = (int)n;
	return 0;
}

/* SIGHUP: read the table and the list anew. */
static int
reload(void *arg, const struct log *log)
{
	struct conf *conf = arg;
	const char *path;

	if (fqdn_open(&conf->fqdn, &path) == 0)
		return 0;
	log_error(log, "failed", "%s:", path);
	return -1;
}

static int
serve(struct call *call, void *arg)
{
	return session_serve(call, &((struct conf *)arg)->session);
}

static void
release(void *arg)
{
	fqdn_close(&((struct conf *)arg)->fqdn);
}

static void
init(void *arg)
{
	struct conf *conf = arg;

	conf->session = (struct session_conf){
		.domains = &conf->fqdn,
		.command_wait_s = CHAIN_COMMAND_WAIT_S,
		.answer_s = CHAIN_ANSWER_S,
		.session_s = CHAIN_SESSION_S,
		.errors_max = CHAIN_ERRORS_MAX,
	};
}

static int
option(void *arg, int letter, char *value, struct instance *i)
{
	struct conf *conf = arg;
	struct session_conf *s = &conf->session;

	switch (letter) {
	case 'b':
		s->mend = true;
		return 0;
	case 'd':
		s->locked = value;
		return 0;
	case 'D':
		conf->fqdn.labels_path = value;
		return 0;
	case 'e':
		return number(i, letter, value, 1000000, &s->errors_max);
	case 'L':
		return number(i, letter, value, 1000000000, &s->line_max);
	case 'r':
		if (next_split(&conf->check, conf->words, value) < 0)
			return stage_wrong(i, "-r", "no words, or more than %d", NEXT_WORDS);
		s->check = &conf->check;
		return 0;
	case 'S':
		return number(i, letter, value, 604800, &s->session_s);
	case 'T':
		conf->fqdn.tlds_path = value;
		return 0;
	case 't':
		return number(i, letter, value, CHAIN_DEADLINE_MAX_S, &s->answer_s);
	default:
		return number(i, letter, value, 86400, &s->command_wait_s);
	}
}

static int
check(void *arg, struct instance *i)
{
	struct conf *conf = arg;
	const char *path;

	if (fqdn_open(&conf->fqdn, &path) < 0)
		return stage_wrong(i, path, "%s", strerror(errno));
	return 0;
}

static void
claim(const void *arg, struct claims *c)
{
	const struct conf *conf = arg;

	if (!conf->session.check)
		return;
	if (conf->check.how == NEXT_CALL)
		stage_connects(c, 0);
	else
		stage_starts(c);
}

/* The file that MSA_EHLO names is read by the first stage; here nobody has done that. */
static void
examine_offers(struct facts *facts, struct instance *i)
{
	const char *s = facts_get(facts, "MSA_EHLO"), *why;
	struct buf list = { 0 };

	if (!s || *s != '@')
		return;
	if (offerfile_expand(&list, s, &why) < 0)
		stage_found(i, "MSA_EHLO", "", "%.*s: %s", (int)strcspn(s + 1, ",\n"), s + 1, why);
	if (list.p)
		facts_set(facts, "MSA_EHLO", list.p);
	buf_free(&list);
}

static void
examine(const void *arg, struct instance *i)
{
	const struct conf *conf = arg;
	struct facts facts = { .n = 0 };
	struct ehlo offer;
	const char *wrong = NULL;
	struct stat st;

	if (conf->session.locked && (stat(conf->session.locked, &st) < 0 || !S_ISDIR(st.st_mode)))
		stage_found(i, conf->session.locked, "make it: root's, mode 0755", "no directory is there, so that nobody can send");
	if (conf->session.check)
		finding_chain("submitd -r", conf->check.argv);
	if (facts_from_environ(&facts) == 0) {
		examine_offers(&facts, i);
		wrong = offer_from_facts(&offer, &facts);
	}
	if (wrong)
		stage_found(i, wrong, "chain(7) says what it may be", "invalid, so that each client gets 421");
	facts_free(&facts);
}

const struct stage submitd_stage = {
	.name = "submitd",
	.kind = STAGE_SESSION,
	.owner = FACTS_SUBMITD,
	.next = STAGE_HANDS_ON,
	.starts_chain = true,
	.needs = STAGE_TEMPORARY,
	.options = "bD:d:e:L:r:S:T:t:w:",
	.usage = "[-b] [-D table] [-d locked] [-e errors] [-L octets] [-r check] [-S seconds] [-T tlds] [-t seconds] "
	    "[-w seconds] " STAGE_USAGE " prog [arg ...]",
	.conf_size = sizeof(struct conf),
	.init = init,
	.option = option,
	.check = check,
	.claim = claim,
	.serve = serve,
	.reload = reload,
	.release = release,
	.examine = examine,
};
