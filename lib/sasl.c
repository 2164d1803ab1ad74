/* ISC licence, see LICENSE. */
#include "sasl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <sasl/saslplug.h>

#include "ehlo.h"

enum { HOST_MAX = 256 };

static const char service_name[] = "smtp"; /* RFC 4954 4 */
static const char store_mechs[] = "PLAIN LOGIN SCRAM-SHA-256";
static const char login_mech[] = "LOGIN", external_mech[] = "EXTERNAL"; /* ours */
static const char plugin_name[] = "msa";

/* A function as Cyrus's lists of callbacks hold it. */
#define PROC(f) ((int (*)(void))(void (*)(void))(f))

/*
 * Callbacks for the library. In all of them context is the service or the exchange.
 */

/* The store's answers to what else a configuration file would say. */
static int
get_option(void *context, const char *plugin, const char *option, const char **result, unsigned *len)
{
	static const struct {
		const char *option, *value;
	} table[] = {
		{ "mech_list", "PLAIN SCRAM-SHA-256" },
		{ "pwcheck_method", "auxprop" }, /* when our own check has said no: asks our plugin, which has no passwords */
		{ "auxprop_plugin", plugin_name },
		{ "auto_transition", "no" },
	};
	size_t i;

	(void)context;
	(void)plugin;
	for (i = 0; i < sizeof table / sizeof *table; i++)
		if (strcmp(option, table[i].option) == 0) {
			*result = table[i].value;
			if (len)
				*len = (unsigned)strlen(*result);
			return SASL_OK;
		}
	return SASL_FAIL;
}

/* With the store, two plugins are enough: each dlopen costs, and each is code that a stranger can talk to. */
static int
verify_file(void *context, const char *file, sasl_verify_type_t type)
{
	const char *slash = strrchr(file, '/');
	const char *name = slash ? slash + 1 : file;

	(void)context;
	if (type == SASL_VRFY_PLUGIN && (strncmp(name, "libplain.", 9) == 0 || strncmp(name, "libscram.", 9) == 0))
		return SASL_OK;
	return SASL_CONTINUE;
}

static int
get_config_path(void *context, char **path)
{
	const struct sasl_service *s = context;

	*path = s->dir;
	return SASL_OK;
}

static int
log_nothing(void *context, int level, const char *message)
{
	(void)context;
	(void)level;
	(void)message;
	return SASL_OK;
}

/* Cyrus's own troubles. Never the levels above errors: the highest of them logs passwords. */
static int
log_trouble(void *context, int level, const char *message)
{
	const struct exchange *x = context;

	if (level == SASL_LOG_ERR && message)
		log_event(x->log, "sasl", "text", message, (char *)NULL);
	return SASL_OK;
}

/* Without this Cyrus knows no difference between example.net and Example.NET. */
static int
canon_user(sasl_conn_t *conn, void *context, const char *in, unsigned inlen, unsigned flags, const char *realm,
    char *out, unsigned max, unsigned *len)
{
	char name[USERDB_NAME_MAX + 1];

	(void)conn;
	(void)context;
	(void)flags;
	(void)realm;
	if (userdb_name(name, in, inlen) < 0 || strlen(name) > max)
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

/* PLAIN, LOGIN: the password against the store. */
static int
check_password(sasl_conn_t *conn, void *context, const char *user, const char *pass, unsigned len,
    struct propctx *props)
{
	struct exchange *x = context;

	(void)conn;
	(void)props;
	x->found = userdb_check(x->service->db, user, pass, len, x->label);
	x->asked = true;
	return sasl_code(x->found);
}

/* Nobody may act as somebody else. */
static int
authorize(sasl_conn_t *conn, void *context, const char *wanted, unsigned wanted_len, const char *user, unsigned len,
    const char *realm, unsigned realm_len, struct propctx *props)
{
	struct exchange *x = context;

	(void)conn;
	(void)realm;
	(void)realm_len;
	(void)props;
	if (wanted_len == len && memcmp(wanted, user, len) == 0)
		return SASL_OK;
	x->reason = "another authorization identity";
	return SASL_NOAUTHZ;
}

/* SCRAM: Cyrus's plugin asks for authPassword (RFC 5803), and for userPassword, which we do not have. */
static int
lookup(void *context, sasl_server_params_t *params, unsigned flags, const char *user, unsigned len)
{
	char name[USERDB_NAME_MAX + 1];
	const struct propval *p;
	struct buf verifier = { 0 };
	sasl_callback_ft proc;
	struct exchange *x;
	void *found;
	int r = SASL_NOUSER;

	(void)context;
	if (flags & SASL_AUXPROP_AUTHZID || len > USERDB_NAME_MAX)
		return SASL_OK;
	if (params->utils->getcallback(params->utils->conn, SASL_CB_SERVER_USERDB_CHECKPASS, &proc, &found) != SASL_OK)
		return SASL_FAIL;
	x = found;
	snprintf(name, sizeof name, "%.*s", (int)len, user);
	for (p = params->utils->prop_get(params->propctx); p && p->name; p++) {
		if (strcmp(p->name, "*authPassword") != 0 || p->values)
			continue;
		x->found = userdb_scram(x->service->db, name, &verifier, x->label);
		x->asked = true;
		r = SASL_UNAVAIL;
		if (x->found != USERDB_ERROR)
			r = params->utils->prop_set(params->propctx, p->name, verifier.p, (int)verifier.len);
		buf_wipe(&verifier);
		break;
	}
	return r;
}

static int
plugin_init(const sasl_utils_t *utils, int max, int *version, sasl_auxprop_plug_t **plugin, const char *name)
{
	static const sasl_auxprop_plug_t ours = { .auxprop_lookup = lookup, .name = (char *)(uintptr_t)plugin_name };

	(void)utils;
	(void)name;
	if (max < SASL_AUXPROP_PLUG_VERSION)
		return SASL_BADVERS;
	*version = SASL_AUXPROP_PLUG_VERSION;
	*plugin = (sasl_auxprop_plug_t *)(uintptr_t)&ours; /* never written to: it has no global context */
	return SASL_OK;
}

/*
 * The service.
 */

/*
 * sasl_server_init, blind to what the environment says about plugins and configuration; later stages get it as it was.
 * The same for libcrypto: OPENSSL_CONF could name providers, and to read its configuration costs half a millisecond.
 */
static int
init_blind(const sasl_callback_t *callbacks, const char *app)
{
	static const char *const names[] = { "SASL_PATH", "SASL_CONF_PATH" };
	char *kept[2] = { NULL, NULL };
	int i, r = SASL_OK;

	for (i = 0; i < 2; i++) {
		const char *value = getenv(names[i]);

		if (value && !(kept[i] = strdup(value)))
			r = SASL_NOMEM;
		unsetenv(names[i]);
	}
	if (r == SASL_OK && OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
		r = SASL_NOMEM;
	if (r == SASL_OK)
		r = sasl_server_init(callbacks, app);
	for (i = 0; i < 2; i++) {
		if (kept[i] && setenv(names[i], kept[i], 1) < 0)
			r = SASL_NOMEM;
		free(kept[i]);
	}
	return r;
}

static bool
list_has(const char *list, const char *name, size_t len)
{
	while (*list) {
		size_t n = strcspn(list, " ");

		if (n == len && strncasecmp(list, name, n) == 0)
			return true;
		list += n + (list[n] == ' ');
	}
	return false;
}

/* LOGIN is where PLAIN is, EXTERNAL where the table is. */
static bool
is_there(const struct sasl_service *s, const char *there, const char *mech, size_t len)
{
	return list_has(there, mech, len) || (list_has(login_mech, mech, len) && list_has(there, "PLAIN", 5)) ||
	    (s->certs && list_has(external_mech, mech, len));
}

/* What there is for a peer: what is wanted (NULL: all) of what we have. 0, or -1 and s->trouble. */
static int
choose(struct sasl_service *s, const char *wanted, const char *there)
{
	const size_t room = sizeof s->mechs - (s->certs ? sizeof external_mech : 0);
	size_t used = 0, i, n;

	if (!wanted)
		wanted = s->db ? store_mechs : there;
	for (; *wanted; wanted += n + (wanted[n] == ' ')) {
		n = strcspn(wanted, " ");
		if (n == 0)
			continue;
		if (!is_there(s, there, wanted, n)) {
			snprintf(s->trouble, sizeof s->trouble, "no mechanism %.*s in Cyrus SASL", n < 40 ? (int)n : 40, wanted);
			return -1;
		}
		if (used + n + 1 >= room)
			break;
		if (used)
			s->mechs[used++] = ' ';
		for (i = 0; i < n; i++)
			s->mechs[used++] = (char)(wanted[i] >= 'a' && wanted[i] <= 'z' ? wanted[i] - 32 : wanted[i]);
	}
	s->mechs[used] = '\0';
	if (s->certs && !list_has(s->mechs, external_mech, sizeof external_mech - 1))
		used += (size_t)snprintf(s->mechs + used, sizeof s->mechs - used, "%s%s", used ? " " : "", external_mech);
	if (used == 0)
		snprintf(s->trouble, sizeof s->trouble, "no mechanism in Cyrus SASL");
	return used ? 0 : -1;
}

static int
set_properties(sasl_conn_t *conn, const struct facts *facts)
{
	const sasl_security_properties_t none = { .security_flags = SASL_SEC_NOANONYMOUS }; /* max_ssf 0: no layer */
	sasl_ssf_t ssf = facts && facts_is_tls(facts) ? (sasl_ssf_t)facts_number(facts, "SSL_CIPHER_USEKEYSIZE", 128) : 0;
	int r = sasl_setprop(conn, SASL_SEC_PROPS, &none);

	return r == SASL_OK ? sasl_setprop(conn, SASL_SSF_EXTERNAL, &ssf) : r;
}

/* Ask Cyrus once what it has, without a peer. */
static int
choose_from_cyrus(struct sasl_service *s, const char *wanted)
{
	sasl_conn_t *conn = NULL;
	const char *list = "";
	/* A name, lest Cyrus ask the resolver for ours. */
	int r = sasl_server_new(service_name, "localhost", NULL, NULL, NULL, NULL, 0, &conn);

	if (r == SASL_OK)
		r = set_properties(conn, NULL);
	if (r == SASL_OK)
		r = sasl_listmech(conn, NULL, "", " ", "", &list, NULL, NULL);
	if (r != SASL_OK && r != SASL_NOMECH)
		snprintf(s->trouble, sizeof s->trouble, "Cyrus SASL: %s", sasl_errstring(r, NULL, NULL));
	r = r == SASL_OK || r == SASL_NOMECH ? choose(s, wanted, list) : -1;
	sasl_dispose(&conn);
	return r;
}

/* "name", or "/dir/name.conf". 0, or -1 and s->trouble. */
static int
take_config(struct sasl_service *s, const char *config)
{
	const char *slash = strrchr(config, '/');
	const char *base = slash ? slash + 1 : config;
	size_t len = strlen(base);

	if (slash && (len < 6 || strcmp(base + len - 5, ".conf") != 0 || access(config, R_OK) < 0)) {
		snprintf(s->trouble, sizeof s->trouble, "%.80s: not a readable file named .conf", config);
		return -1;
	}
	if (slash)
		len -= 5;
	s->app = strndup(base, len);
	s->dir = slash ? strndup(config, slash == config ? 1 : (size_t)(slash - config)) : NULL;
	if (s->app && (s->dir || !slash))
		return 0;
	snprintf(s->trouble, sizeof s->trouble, "out of memory");
	return -1;
}

int
sasl_service_open(struct sasl_service *s, struct userdb *db, struct table *certs, const char *config,
    const char *mechs, const char **why)
{
	int r, n = 0;

	*s = (struct sasl_service){ .db = db, .certs = certs };
	*why = s->trouble;
	if (!db && take_config(s, config) < 0) {
		sasl_service_close(s);
		return -1;
	}
	s->callbacks[n++] = (sasl_callback_t){ SASL_CB_LOG, PROC(log_nothing), s };
	if (db) {
		s->callbacks[n++] = (sasl_callback_t){ SASL_CB_GETOPT, PROC(get_option), s };
		s->callbacks[n++] = (sasl_callback_t){ SASL_CB_VERIFYFILE, PROC(verify_file), s };
	} else if (s->dir)
		s->callbacks[n++] = (sasl_callback_t){ SASL_CB_GETCONFPATH, PROC(get_config_path), s };
	s->callbacks[n] = (sasl_callback_t){ SASL_CB_LIST_END, NULL, NULL };
	r = init_blind(s->callbacks, s->app); /* without a name: no configuration file */
	if (r == SASL_OK && db)
		r = sasl_auxprop_add_plugin(plugin_name, plugin_init);
	if (r != SASL_OK)
		snprintf(s->trouble, sizeof s->trouble, "Cyrus SASL: %s", sasl_errstring(r, NULL, NULL));
	if (r != SASL_OK || choose_from_cyrus(s, mechs) < 0) {
		sasl_service_close(s);
		return -1;
	}
	return 0;
}

void
sasl_service_close(struct sasl_service *s)
{
	sasl_server_done();
	free(s->app);
	free(s->dir);
	s->app = s->dir = NULL;
}

void
sasl_service_list(const struct sasl_service *s, const struct facts *facts, char *list)
{
	size_t used = 0, n;
	const char *p;

	*list = '\0';
	for (p = s->mechs; *p; p += n + (p[n] == ' ')) {
		n = strcspn(p, " ");
		if (sasl_service_offers(s, facts, p, n))
			used += (size_t)snprintf(list + used, SASL_MECHS_MAX + 1 - used, "%s%.*s", used ? " " : "", (int)n, p);
	}
}

bool
sasl_service_offers(const struct sasl_service *s, const struct facts *facts, const char *mech, size_t len)
{
	char user[USERDB_NAME_MAX + 1];

	if (!list_has(s->mechs, mech, len))
		return false;
	return !list_has(external_mech, mech, len) || external_find(s->certs, facts, user) != EXTERNAL_NOBODY;
}

/*
 * Exchanges.
 */

static enum exchange_result
refuse(struct exchange *x, const char *reason)
{
	x->reason = reason;
	return EXCHANGE_REFUSED;
}

/* x->user: what Cyrus calls the user by now, if it is a name that a later stage can be given. */
static int
learn_user(struct exchange *x, int property)
{
	const void *user = NULL;

	x->user[0] = '\0';
	if (sasl_getprop(x->conn, property, &user) != SASL_OK || !user)
		return -1;
	return userdb_name(x->user, user, strlen(user));
}

static enum exchange_result
judge(struct exchange *x, int r)
{
	if (r == SASL_CONTINUE)
		return EXCHANGE_CHALLENGE;
	if (r == SASL_OK)
		return learn_user(x, SASL_USERNAME) == 0 ? EXCHANGE_DONE : refuse(x, "unusable user name");
	learn_user(x, SASL_AUTHUSER);
	if (x->asked && x->found == USERDB_ERROR) {
		x->reason = "user store cannot be read";
		return EXCHANGE_LATER;
	}
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
		return EXCHANGE_LATER;
	}
	if (x->reason)
		return EXCHANGE_REFUSED;
	if (!x->asked)
		return refuse(x, r == SASL_BADPROT ? "malformed response" : sasl_errstring(r, NULL, NULL));
	return refuse(x, x->found == USERDB_UNKNOWN ? "unknown user" : x->found == USERDB_LOCKED ? "user is locked" :
	    r == SASL_BADPROT ? "malformed response" : "wrong password");
}

/* LOGIN, which has no specification beyond draft-murchison-sasl-login. response NULL: none yet. */
static enum exchange_result
login(struct exchange *x, const char *response, size_t len)
{
	static const char user[] = "Username:", password[] = "Password:";

	if (response && (memchr(response, '\0', len) || (!x->has_login_user && len == 0)))
		return refuse(x, "malformed response");
	if (!response) {
		x->challenge = user;
		x->challenge_len = sizeof user - 1;
		return EXCHANGE_CHALLENGE;
	}
	if (!x->has_login_user) {
		if (buf_add(&x->login_user, response, len) < 0)
			return judge(x, SASL_NOMEM);
		x->has_login_user = true;
		x->challenge = password;
		x->challenge_len = sizeof password - 1;
		return EXCHANGE_CHALLENGE;
	}
	return judge(x, sasl_checkpass(x->conn, x->login_user.p, (unsigned)x->login_user.len, response, (unsigned)len));
}

/*
 * EXTERNAL: the table has said who it is, so all that there is to look at is for whom the peer wants to act. Cyrus has
 * this too (SASL_AUTH_EXTERNAL), but would want it in the mech_list of its configuration as well, which with -s is not
 * ours, and there takes names for equal by rules of its own; nor does it ask the store whether the user is locked.
 */
static enum exchange_result
external(struct exchange *x, const char *response, size_t len)
{
	char wanted[USERDB_NAME_MAX + 1];

	if (!response) {
		x->challenge = "";
		x->takes_empty = true;
		return EXCHANGE_CHALLENGE;
	}
	if (len > 0 && userdb_name(wanted, response, len) < 0)
		return refuse(x, "malformed response");
	if (len > 0 && strcmp(wanted, x->user) != 0)
		return refuse(x, "another authorization identity");
	x->found = x->service->db ? userdb_admits(x->service->db, x->user) : USERDB_RIGHT;
	switch (x->found) {
	case USERDB_RIGHT:
		return EXCHANGE_DONE;
	case USERDB_ERROR:
		x->reason = "user store cannot be read";
		return EXCHANGE_LATER;
	default:
		return refuse(x, x->found == USERDB_LOCKED ? "user is locked" : "unknown user");
	}
}

static enum exchange_result
external_begin(struct exchange *x, const struct facts *facts, const char *response, size_t len)
{
	const char *hash = facts_get(facts, "SSL_PEER_CERT_HASH");

	switch (external_find(x->service->certs, facts, x->user)) {
	case EXTERNAL_USER:
		snprintf(x->label, sizeof x->label, "%s", strchr(hash, ':') + 1);
		return external(x, response, len);
	case EXTERNAL_DAMAGED:
		x->reason = "certificate table cannot be read";
		return EXCHANGE_LATER;
	case EXTERNAL_NO_NAME:
		x->reason = "no user name in the certificate table";
		return EXCHANGE_LATER;
	default:
		return refuse(x, "no certificate"); /* not offered, so nobody comes here */
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

enum exchange_result
exchange_begin(struct exchange *x, struct sasl_service *s, const struct facts *facts, const struct log *log,
    const char *mech, size_t mech_len, const char *response, size_t len)
{
	char host[HOST_MAX];
	const char *out = NULL;
	unsigned out_len = 0;
	size_t i;
	int r, n = 0;

	*x = (struct exchange){ .service = s, .log = log };
	for (i = 0; i < mech_len && i < SASL_MECHS_MAX; i++)
		x->mech[i] = (char)(mech[i] >= 'a' && mech[i] <= 'z' ? mech[i] - 32 : mech[i]);
	if (strcmp(x->mech, external_mech) == 0)
		return external_begin(x, facts, response, len);
	x->callbacks[n++] = (sasl_callback_t){ SASL_CB_LOG, PROC(log_trouble), x };
	x->callbacks[n++] = (sasl_callback_t){ SASL_CB_PROXY_POLICY, PROC(authorize), x };
	if (s->db) {
		x->callbacks[n++] = (sasl_callback_t){ SASL_CB_CANON_USER, PROC(canon_user), x };
		x->callbacks[n++] = (sasl_callback_t){ SASL_CB_SERVER_USERDB_CHECKPASS, PROC(check_password), x };
	}
	x->callbacks[n] = (sasl_callback_t){ SASL_CB_LIST_END, NULL, NULL };
	r = sasl_server_new(service_name, ehlo_host(facts, host, sizeof host), NULL, NULL, NULL, x->callbacks, 0, &x->conn);
	if (r == SASL_OK)
		r = set_properties(x->conn, facts);
	if (r != SASL_OK) {
		x->reason = sasl_errstring(r, NULL, NULL);
		return EXCHANGE_LATER;
	}
	if (strcmp(x->mech, login_mech) == 0)
		return login(x, response, len); /* an initial response is the user's name: some clients send it */
	r = sasl_server_start(x->conn, x->mech, response, (unsigned)len, &out, &out_len);
	if (r == SASL_BADPROT && response && is_server_first(x->mech))
		return EXCHANGE_SERVER_FIRST;
	x->challenge = out ? out : "";
	x->challenge_len = out_len;
	return judge(x, r);
}

enum exchange_result
exchange_step(struct exchange *x, const char *response, size_t len)
{
	const char *out = NULL;
	unsigned out_len = 0;
	int r;

	if (strcmp(x->mech, login_mech) == 0)
		return login(x, response, len);
	if (strcmp(x->mech, external_mech) == 0)
		return external(x, response, len);
	r = sasl_server_step(x->conn, response, (unsigned)len, &out, &out_len);
	x->challenge = out ? out : "";
	x->challenge_len = out_len;
	return judge(x, r);
}

bool
exchange_is_known(const struct exchange *x)
{
	return strcmp(x->mech, external_mech) == 0 || (x->asked && x->found != USERDB_UNKNOWN && x->found != USERDB_ERROR);
}

void
exchange_end(struct exchange *x)
{
	if (x->conn)
		sasl_dispose(&x->conn);
	buf_wipe(&x->login_user);
	explicit_bzero(x, sizeof *x);
}
