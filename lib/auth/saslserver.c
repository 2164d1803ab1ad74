/* ISC licence, see LICENSE. */
#include "auth/saslserver.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <sasl/saslplug.h>

#include "auth/certmap.h"
#include "auth/checkpassword.h"
#include "auth/saslprep.h"
#include "base/clock.h"
#include "base/username.h"
#include "chain/offer.h"

enum { HOST_MAX = 256 };

static const char locked[] = "user is locked";

/*
 * Write a name that the client sent to name, in the one form that the user has everywhere: with a domain if there is a
 * realm, and in lower case, or as an older store has it. Returns as userdb_name; or -1 with x->reason set if the name
 * has another domain, and all users are of the realm.
 */
static int
take_name(struct saslserver *x, char *name, const char *given, size_t len)
{
	char whole[2 * USERDB_NAME_MAX + 2];
	int n;

	if (userdb_name(name, given, len) < 0)
		return -1;
	if (x->service->realm && !strchr(name, '@')) {
		n = snprintf(whole, sizeof whole, "%s@%s", name, x->service->realm);
		if (n < 0 || (size_t)n >= sizeof whole || userdb_name(name, whole, (size_t)n) < 0)
			return -1;
		x->is_completed = true;
	}
	if (x->service->only_realm && strcasecmp(strrchr(name, '@') + 1, x->service->realm) != 0) {
		x->reason = "not of the realm";
		return -1;
	}
	if (x->check.db)
		userdb_fold(x->check.db, name);
	else
		username_fold(name, name, strlen(name));
	return 0;
}

/*
 * Callbacks for the library. In all of them but check_password, context is the exchange.
 */

/* Log Cyrus's errors only: the highest of the levels above logs passwords. */
static int
log_trouble(void *context, int level, const char *message)
{
	const struct saslserver *x = context;

	if (level == SASL_LOG_ERR && message)
		log_event(x->log, "sasl", "text", message, (char *)NULL);
	return SASL_OK;
}

/*
 * Without this Cyrus would not treat alice@example.net and Alice@Example.NET as the same user. Its own back ends get
 * the name in this form too, so that two of their users whose names differ by case cannot both be this one.
 */
static int
canon_user(sasl_conn_t *conn, void *context, const char *in, unsigned inlen, unsigned flags, const char *realm,
    char *out, unsigned max, unsigned *len)
{
	char name[USERDB_NAME_MAX + 1];

	(void)conn;
	(void)flags;
	(void)realm;
	if (take_name(context, name, in, inlen) < 0 || strlen(name) > max)
		return SASL_BADAUTH;
	*len = (unsigned)strlen(name);
	memcpy(out, name, *len + 1); /* max does not count the NUL */
	return SASL_OK;
}

static int
sasl_code(enum userdb_result r)
{
	return r == USERDB_RIGHT ? SASL_OK : r == USERDB_ERROR ? SASL_UNAVAIL : SASL_BADAUTH;
}

/*
 * The store does not have the password: ask our back end. A user who is locked in the store stays so. Nobody has an
 * empty password: servers of LDAP say yes to it, and mean that nobody was authenticated (RFC 4513 5.1.2).
 */
static void
ask_backend(struct sasl_check *check, const char *user, const char *pass, size_t len)
{
	if (len == 0)
		return;
	switch (backend_ask(check->backend, check->facts, check->log, user, pass, len)) {
	case BACKEND_RIGHT:
		if (check->found != USERDB_LOCKED)
			check->found = USERDB_RIGHT;
		break;
	case BACKEND_LATER:
		check->unanswered = true;
		check->found = USERDB_ERROR;
		break;
	case BACKEND_WRONG:
		break;
	}
}

/* Compare one form of a password to the store's. Returns true if that took a slow hash. */
static bool
check_form(struct sasl_check *check, const char *user, const char *pass, size_t len)
{
	bool worked;

	check->found = userdb_check(check->db, user, pass, len, check->label, &worked);
	check->due += !worked;
	return worked;
}

/*
 * Compare a password to the store's, as SASLprep makes it. The password as it was typed has its turn too: another
 * system, or an older msa-passwd, may have made the hash from that. Returns true if that took a slow hash.
 */
static bool
compare(struct sasl_check *check, const char *user, const char *pass, size_t len)
{
	char prepared[SASLPREP_MAX];
	ssize_t n = saslprep(prepared, pass, len);
	bool differs = n < 0 || (size_t)n != len || memcmp(prepared, pass, len) != 0, worked = false;

	check->found = USERDB_WRONG;
	if (n >= 0)
		worked = check_form(check, user, prepared, (size_t)n);
	else if (errno == ENOMEM)
		check->found = USERDB_ERROR;
	if (differs && check->found != USERDB_RIGHT && check->found != USERDB_ERROR)
		worked |= check_form(check, user, pass, len);
	explicit_bzero(prepared, sizeof prepared);
	return worked;
}

/* The same, unless the cache remembers that the password was right. */
static void
check_store(struct sasl_check *check, const char *user, const char *pass, size_t len)
{
	const struct passcache_login login = { .store = &check->db->file, .user = user, .password = pass, .len = len };

	if (check->cache && passcache_find(check->cache, &login, clock_ms(), check->label)) {
		check->found = USERDB_RIGHT;
		check->due++;
	} else if (compare(check, user, pass, len) && check->cache && check->found == USERDB_RIGHT)
		passcache_add(check->cache, &login, clock_ms(), check->label); /* a fast hash is as fast as the cache */
}

/*
 * Check a password of PLAIN or LOGIN against the store, and then our back end. After a refusal Cyrus asks its own back
 * end, if it has one.
 */
static int
check_password(sasl_conn_t *conn, void *context, const char *user, const char *pass, unsigned len,
    struct propctx *props)
{
	struct sasl_check *check = context;

	(void)conn;
	(void)props;
	if (check->penalty)
		penalty_prove(check->penalty, &check->proof, user, pass, len);
	if (!check->db && !check->backend)
		return SASL_BADAUTH;
	check->found = USERDB_UNKNOWN;
	check->asked = true;
	if (check->db)
		check_store(check, user, pass, len);
	if (check->backend && check->found != USERDB_RIGHT && check->found != USERDB_ERROR)
		ask_backend(check, user, pass, len);
	return sasl_code(check->found);
}

/* A user may act as nobody else. */
static int
authorize(sasl_conn_t *conn, void *context, const char *wanted, unsigned wanted_len, const char *user, unsigned len,
    const char *realm, unsigned realm_len, struct propctx *props)
{
	struct saslserver *x = context;

	(void)conn;
	(void)realm;
	(void)realm_len;
	(void)props;
	if (wanted_len == len && memcmp(wanted, user, len) == 0)
		return SASL_OK;
	x->reason = "another authorization identity";
	return SASL_NOAUTHZ;
}

/*
 * The mechanisms.
 */

static enum saslserver_result
refuse(struct saslserver *x, const char *reason)
{
	x->reason = reason;
	return SASLSERVER_REFUSED;
}

/* Set x->user from Cyrus's property. Returns 0, or -1: not set, or no name that a later stage can take. */
static int
learn_user(struct saslserver *x, int property)
{
	const void *user = NULL;

	x->user[0] = '\0';
	if (sasl_getprop(x->conn, property, &user) != SASL_OK || !user)
		return -1;
	return take_name(x, x->user, user, strlen(user));
}

/*
 * Returns true if the user whom Cyrus has authenticated may log in. Beside a back end of Cyrus's, the store may have
 * locked the user, or cannot be read.
 */
static bool
may_enter(struct saslserver *x)
{
	if (!x->check.db || !x->service->app)
		return true;
	if (!x->check.asked) /* a mechanism that is not about a password in clear */
		x->check.found = userdb_admits(x->check.db, x->user);
	x->check.asked = true;
	return x->check.found != USERDB_LOCKED && x->check.found != USERDB_ERROR;
}

static enum saslserver_result
judge(struct saslserver *x, int r)
{
	if (r == SASL_CONTINUE) {
		x->is_proved = *x->user != '\0';
		if (!x->is_proved)
			learn_user(x, SASL_AUTHUSER);
		return SASLSERVER_CHALLENGE;
	}
	x->is_guess = r != SASL_BADPROT && r != SASL_BADPARAM;
	if (r == SASL_OK && learn_user(x, SASL_USERNAME) < 0)
		return refuse(x, "unusable user name");
	if (r == SASL_OK && may_enter(x))
		return SASLSERVER_DONE;
	if (r != SASL_OK)
		learn_user(x, SASL_AUTHUSER);
	saslserver_even_out(x);
	if (x->check.asked && x->check.found == USERDB_ERROR) {
		x->reason = x->check.unanswered ? "the back end does not answer" : "user store cannot be read";
		return SASLSERVER_LATER;
	}
	if (r == SASL_OK)
		return refuse(x, locked);
	switch (r) {
	case SASL_BADAUTH:
	case SASL_NOUSER:
	case SASL_NOAUTHZ:
	case SASL_NOVERIFY:
	case SASL_EXPIRED:
	case SASL_DISABLED:
	case SASL_PWLOCK:
	case SASL_TRANS:
	case SASL_TOOWEAK:
	case SASL_ENCRYPT:
	case SASL_BADPROT:
	case SASL_BADPARAM:
	case SASL_BADMAC:
	case SASL_BADBINDING:
		break;
	default:
		x->reason = sasl_errstring(r, NULL, NULL);
		return SASLSERVER_LATER;
	}
	if (x->reason)
		return SASLSERVER_REFUSED;
	if (!x->check.asked)
		return refuse(x, r == SASL_BADPROT ? "malformed response" : sasl_errstring(r, NULL, NULL));
	if (x->check.found == USERDB_UNKNOWN && (x->service->app || x->service->backend))
		return refuse(x, "wrong user or password");
	return refuse(x, x->check.found == USERDB_UNKNOWN ? "unknown user" :
	    x->check.found == USERDB_LOCKED               ? locked :
	    r == SASL_BADPROT                             ? "malformed response" :
	                                                    "wrong password");
}

/* A step of LOGIN (draft-murchison-sasl-login is its only specification). response NULL: none yet. */
static enum saslserver_result
login(struct saslserver *x, const char *response, size_t len)
{
	static const char user[] = "Username:", password[] = "Password:";

	if (response && (memchr(response, '\0', len) || (!x->has_login_user && len == 0)))
		return refuse(x, "malformed response");
	if (!response) {
		x->challenge = user;
		x->challenge_len = sizeof user - 1;
		return SASLSERVER_CHALLENGE;
	}
	if (!x->has_login_user) {
		if (buf_add(&x->login_user, response, len) < 0)
			return judge(x, SASL_NOMEM);
		x->has_login_user = true;
		x->challenge = password;
		x->challenge_len = sizeof password - 1;
		return SASLSERVER_CHALLENGE;
	}
	return judge(x, sasl_checkpass(x->conn, x->login_user.p, (unsigned)x->login_user.len, response, (unsigned)len));
}

/*
 * A step of EXTERNAL: the table has identified the user, so only the authorization identity is left to check. Cyrus has
 * EXTERNAL too (SASL_AUTH_EXTERNAL). We do not use it: it must be in the mech_list of Cyrus's configuration, which with
 * -s is the operator's; it compares names by rules of its own; and it does not ask the store whether the user is
 * locked.
 */
static enum saslserver_result
external(struct saslserver *x, const char *response, size_t len)
{
	char wanted[USERDB_NAME_MAX + 1];

	if (!response) {
		x->challenge = "";
		x->takes_empty = true;
		return SASLSERVER_CHALLENGE;
	}
	if (len > 0 && take_name(x, wanted, response, len) < 0)
		return refuse(x, "malformed response");
	if (len > 0 && strcmp(wanted, x->user) != 0)
		return refuse(x, "another authorization identity");
	x->check.found = x->check.db ? userdb_admits(x->check.db, x->user) : USERDB_RIGHT;
	if (x->check.found == USERDB_UNKNOWN && (x->service->app || x->service->backend))
		x->check.found = USERDB_RIGHT; /* the back end may have the user; not every one can be asked */
	switch (x->check.found) {
	case USERDB_RIGHT:
		return SASLSERVER_DONE;
	case USERDB_ERROR:
		x->reason = "user store cannot be read";
		return SASLSERVER_LATER;
	default:
		return refuse(x, x->check.found == USERDB_LOCKED ? locked : "unknown user");
	}
}

static enum saslserver_result
external_begin(struct saslserver *x, const struct facts *facts, const char *response, size_t len)
{
	const char *hash = facts_get(facts, "SSL_PEER_CERT_HASH");
	char name[USERDB_NAME_MAX + 1];
	enum certmap_result found = certmap_find(x->service->certs, facts, name);

	if (found == CERTMAP_USER && take_name(x, x->user, name, strlen(name)) < 0)
		found = CERTMAP_NO_NAME;
	switch (found) {
	case CERTMAP_USER:
		snprintf(x->check.label, sizeof x->check.label, "%s", strchr(hash, ':') + 1);
		return external(x, response, len);
	case CERTMAP_DAMAGED:
		x->reason = "certificate table cannot be read";
		return SASLSERVER_LATER;
	case CERTMAP_NO_NAME:
		x->reason = "no user name in the certificate table";
		return SASLSERVER_LATER;
	default:
		return refuse(x, "no certificate"); /* cannot happen: EXTERNAL was not offered */
	}
}

/* Returns true if the mechanism carries a token that our verifier checks. */
static bool
takes_token(const struct saslserver *x)
{
	return x->service->oauth && (strcmp(x->mech, sasl_oauthbearer) == 0 || strcmp(x->mech, sasl_xoauth2) == 0);
}

static enum oauth_form
form_of(const struct saslserver *x)
{
	return strcmp(x->mech, sasl_xoauth2) == 0 ? OAUTH_XOAUTH2 : OAUTH_BEARER;
}

/* Refuse a token, or a message without one; r says what was wrong. The client hears that before the reply. */
static enum saslserver_result
refuse_token(struct saslserver *x, enum oauth_result r, const char *reason)
{
	const enum oauth_form form = form_of(x);

	x->challenge = x->error;
	x->challenge_len = oauth_error(x->error, form, r, x->service->oauth->scope, x->service->oauth->url);
	x->is_last = true;
	return refuse(x, reason);
}

/*
 * A step of OAUTHBEARER (RFC 7628) or XOAUTH2. The client names the user, and the verifier says whether the token is
 * this user's: nobody else reads a token. A verifier is like a back end: the store need not have the user.
 */
static enum saslserver_result
token(struct saslserver *x, const char *response, size_t len)
{
	enum backend_answer answer;
	enum oauth_result r;
	struct oauth o;

	if (!response) {
		x->challenge = "";
		return SASLSERVER_CHALLENGE;
	}
	r = oauth_parse(&o, form_of(x), response, len);
	if (r != OAUTH_TOKEN)
		return refuse_token(x, r, r == OAUTH_NO_TOKEN ? "no token" : "malformed response");
	if (o.user_len == 0 || take_name(x, x->user, o.user, o.user_len) < 0)
		return refuse_token(x, OAUTH_MALFORMED, o.user_len == 0 ? "no user name" : "unusable user name");
	if (x->check.penalty)
		penalty_prove(x->check.penalty, &x->check.proof, x->user, o.token, o.token_len);
	x->is_guess = true; /* nobody guesses a token, but each one that is tried takes a process */
	answer = checkpassword_ask(x->service->oauth->program, x->check.facts, x->log, x->user, o.token, o.token_len,
	    CHECKPASSWORD_TOKEN);
	if (answer == BACKEND_WRONG)
		return refuse_token(x, r, "wrong token");
	if (answer == BACKEND_LATER) {
		x->reason = "the verifier does not answer";
		return SASLSERVER_LATER;
	}
	switch (x->check.db ? userdb_admits(x->check.db, x->user) : USERDB_RIGHT) {
	case USERDB_ERROR:
		x->reason = "user store cannot be read";
		return SASLSERVER_LATER;
	case USERDB_LOCKED:
		return refuse_token(x, r, locked);
	default:
		return SASLSERVER_DONE;
	}
}

static void
take_features(server_sasl_mechanism_t *m, sasl_info_callback_stage_t at, void *features)
{
	if (at == SASL_INFO_LIST_MECH)
		*(unsigned *)features = m->plug->features;
}

static bool
is_server_first(const char *mech)
{
	unsigned features = 0;

	return sasl_server_plugin_info(mech, take_features, &features) == SASL_OK && features & SASL_FEAT_SERVER_FIRST;
}

enum saslserver_result
saslserver_begin(struct saslserver *x, struct sasl_service *s, const struct facts *facts, const struct log *log,
    const char *mech, size_t mech_len, const char *response, size_t len)
{
	char host[HOST_MAX];
	const char *out = NULL;
	unsigned out_len = 0;
	size_t i;
	int r, n = 0;

	*x = (struct saslserver){ .service = s, .log = log };
	x->check = (struct sasl_check){ .db = s->db, .backend = s->backend, .penalty = s->penalty, .facts = facts,
		.log = log };
	for (i = 0; i < mech_len && i < SASL_MECHS_MAX; i++)
		x->mech[i] = (char)(mech[i] >= 'a' && mech[i] <= 'z' ? mech[i] - 32 : mech[i]);
	x->check.hash = credential_hash_of(x->mech);
	x->check.cache = s->cache;
	if (strcmp(x->mech, sasl_external) == 0)
		return external_begin(x, facts, response, len);
	if (takes_token(x))
		return token(x, response, len);
	x->callbacks[n++] = (sasl_callback_t){ SASL_CB_LOG, SASL_PROC(log_trouble), x };
	x->callbacks[n++] = (sasl_callback_t){ SASL_CB_PROXY_POLICY, SASL_PROC(authorize), x };
	x->callbacks[n++] = (sasl_callback_t){ SASL_CB_CANON_USER, SASL_PROC(canon_user), x };
	if (s->db || s->backend || s->penalty)
		x->callbacks[n++] = (sasl_callback_t){ SASL_CB_SERVER_USERDB_CHECKPASS, SASL_PROC(check_password), &x->check };
	x->callbacks[n] = (sasl_callback_t){ SASL_CB_LIST_END, NULL, NULL };
	r = sasl_conn_open(&x->conn, offer_host(facts, host, sizeof host), facts, x->callbacks);
	if (r != SASL_OK) {
		x->reason = sasl_errstring(r, NULL, NULL);
		return SASLSERVER_LATER;
	}
	if (strcmp(x->mech, sasl_login) == 0)
		return login(x, response, len); /* some clients send the user's name as initial response */
	r = sasl_server_start(x->conn, x->mech, response, (unsigned)len, &out, &out_len);
	if (r == SASL_BADPROT && response && is_server_first(x->mech))
		return SASLSERVER_SERVER_FIRST;
	x->challenge = out ? out : "";
	x->challenge_len = out_len;
	return judge(x, r);
}

enum saslserver_result
saslserver_step(struct saslserver *x, const char *response, size_t len)
{
	const char *out = NULL;
	unsigned out_len = 0;
	int r;

	if (strcmp(x->mech, sasl_login) == 0)
		return login(x, response, len);
	if (strcmp(x->mech, sasl_external) == 0)
		return external(x, response, len);
	if (takes_token(x))
		return token(x, response, len);
	r = sasl_server_step(x->conn, response, (unsigned)len, &out, &out_len);
	x->challenge = out ? out : "";
	x->challenge_len = out_len;
	return judge(x, r);
}

enum saslserver_result
saslserver_refuse(struct saslserver *x, const char *reason)
{
	if (takes_token(x))
		return refuse_token(x, OAUTH_TOKEN, reason);
	return refuse(x, reason);
}

void
saslserver_even_out(struct saslserver *x)
{
	struct sasl_check *check = &x->check;

	if (!check->db || !check->asked || (check->found == USERDB_ERROR && !check->unanswered))
		return;
	for (; check->due > 0; check->due--)
		if (userdb_work(check->db, x->user) < 0)
			check->found = USERDB_ERROR;
}

bool
saslserver_is_known(const struct saslserver *x)
{
	return strcmp(x->mech, sasl_external) == 0 ||
	    (x->check.asked && x->check.found != USERDB_UNKNOWN && x->check.found != USERDB_ERROR);
}

bool
saslserver_is_in_doubt(const struct saslserver *x)
{
	return x->check.db && x->check.asked && (x->check.found != USERDB_ERROR || x->check.unanswered);
}

void
saslserver_end(struct saslserver *x)
{
	if (x->conn)
		sasl_dispose(&x->conn);
	buf_wipe(&x->login_user);
	explicit_bzero(x, sizeof *x);
}
