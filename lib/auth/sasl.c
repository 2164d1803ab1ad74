/* ISC licence, see LICENSE. */
#include "auth/sasl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <sasl/saslplug.h>

#include "auth/certmap.h"

static const char service_name[] = "smtp"; /* RFC 4954 4 */
static const char store_mechs[] = "PLAIN LOGIN SCRAM-SHA-256", password_mechs[] = "PLAIN LOGIN";
static const char stored_mechs[] = "PLAIN SCRAM-SHA-256 SCRAM-SHA-512 SCRAM-SHA-1"; /* Cyrus's, with the store */
static const char plugin_name[] = "msa";

const char sasl_login[] = "LOGIN", sasl_external[] = "EXTERNAL", sasl_oauthbearer[] = "OAUTHBEARER",
    sasl_xoauth2[] = "XOAUTH2";
static const char token_mechs[] = "OAUTHBEARER XOAUTH2";

/*
 * Callbacks for the library. In all of them context is the service.
 */

/* Without Cyrus's configuration, the options come from here. */
static int
get_option(void *context, const char *plugin, const char *option, const char **result, unsigned *len)
{
	const struct {
		const char *option, *value;
	} table[] = {
		{ "mech_list", ((struct sasl_service *)context)->db ? stored_mechs : "PLAIN" },
		{ "pwcheck_method", "auxprop" }, /* asked after our own check has refused: our plugin has no plaintext passwords */
		{ "auxprop_plugin", plugin_name },
		{ "auto_transition", "no" },
	};
	size_t i;

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

/* Without Cyrus's configuration, load two plugins only: each costs a dlopen and is code that strangers can reach. */
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

/* Cyrus's SCRAM plugin asks for authPassword (RFC 5803), and for userPassword, which we do not have. */
static int
lookup(void *context, sasl_server_params_t *params, unsigned flags, const char *user, unsigned len)
{
	char name[USERDB_NAME_MAX + 1];
	const struct propval *p;
	struct buf verifier = { 0 };
	sasl_callback_ft proc;
	struct sasl_check *check;
	void *found;
	int r = SASL_NOUSER;

	(void)context;
	if (flags & SASL_AUXPROP_AUTHZID || len > USERDB_NAME_MAX)
		return SASL_OK;
	if (params->utils->getcallback(params->utils->conn, SASL_CB_SERVER_USERDB_CHECKPASS, &proc, &found) != SASL_OK)
		return SASL_FAIL;
	check = found;
	if (!check->db || !check->hash)
		return SASL_NOUSER;
	snprintf(name, sizeof name, "%.*s", (int)len, user);
	for (p = params->utils->prop_get(params->propctx); p && p->name; p++) {
		if (strcmp(p->name, "*authPassword") != 0 || p->values)
			continue;
		check->found = userdb_scram(check->db, check->hash, name, &verifier, check->label);
		check->asked = true; /* no password is compared here, so no slow hash is due */
		r = SASL_UNAVAIL;
		if (check->found != USERDB_ERROR)
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
	*plugin = (sasl_auxprop_plug_t *)(uintptr_t)&ours; /* Cyrus does not write to it: it has no global context */
	return SASL_OK;
}

/*
 * The service.
 */

/*
 * Call sasl_server_init with the variables that choose plugins and configuration unset, and restore them for later
 * stages. libcrypto does not read its configuration either: OPENSSL_CONF could name providers, and reading it takes
 * half a millisecond.
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

/*
 * Returns true if we can offer mech. LOGIN comes with PLAIN, EXTERNAL with the certificate table, those with a token
 * with the verifier.
 */
static bool
is_available(const struct sasl_service *s, const char *cyrus, const char *mech, size_t len)
{
	return list_has(cyrus, mech, len) || (list_has(sasl_login, mech, len) && list_has(cyrus, "PLAIN", 5)) ||
	    (s->certs && list_has(sasl_external, mech, len)) || (s->oauth && list_has(token_mechs, mech, len));
}

/*
 * Set s->mechs: the wanted mechanisms (NULL: all), given those that Cyrus has. Returns 0, or -1 with s->trouble set: a
 * wanted one is not available, or there is none at all.
 */
static int
choose(struct sasl_service *s, const char *wanted, const char *cyrus)
{
	const size_t room = sizeof s->mechs - (s->certs ? sizeof sasl_external : 0) - (s->oauth ? sizeof token_mechs : 0);
	size_t used = 0, i, n;

	if (!wanted) /* a back end cannot prove itself by SCRAM */
		wanted = s->app ? cyrus : s->backend ? password_mechs : s->db ? store_mechs : "";
	for (; *wanted; wanted += n + (wanted[n] == ' ')) {
		n = strcspn(wanted, " ");
		if (n == 0)
			continue;
		if (!is_available(s, cyrus, wanted, n)) {
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
	if (s->oauth && !list_has(s->mechs, sasl_oauthbearer, sizeof sasl_oauthbearer - 1) &&
	    !list_has(s->mechs, sasl_xoauth2, sizeof sasl_xoauth2 - 1))
		used += (size_t)snprintf(s->mechs + used, sizeof s->mechs - used, "%s%s", used ? " " : "", token_mechs);
	if (s->certs && !list_has(s->mechs, sasl_external, sizeof sasl_external - 1))
		used += (size_t)snprintf(s->mechs + used, sizeof s->mechs - used, "%s%s", used ? " " : "", sasl_external);
	if (used == 0)
		snprintf(s->trouble, sizeof s->trouble, "no mechanism in Cyrus SASL");
	return used ? 0 : -1;
}

int
sasl_conn_open(sasl_conn_t **conn, const char *host, const struct facts *facts, const sasl_callback_t *callbacks)
{
	const sasl_security_properties_t none = { .security_flags = SASL_SEC_NOANONYMOUS }; /* max_ssf 0: no layer */
	sasl_ssf_t ssf = facts && facts_is_tls(facts) ? (sasl_ssf_t)facts_number(facts, "SSL_CIPHER_USEKEYSIZE", 128) : 0;
	int r = sasl_server_new(service_name, host, NULL, NULL, NULL, callbacks, 0, conn);

	if (r == SASL_OK)
		r = sasl_setprop(*conn, SASL_SEC_PROPS, &none);
	return r == SASL_OK ? sasl_setprop(*conn, SASL_SSF_EXTERNAL, &ssf) : r;
}

/* Ask Cyrus, once, which mechanisms it has. Returns as choose. */
static int
choose_from_cyrus(struct sasl_service *s, const char *wanted)
{
	sasl_conn_t *conn = NULL;
	const char *list = "";
	/* Without a name Cyrus would ask the resolver for ours. */
	int r = sasl_conn_open(&conn, "localhost", NULL, NULL);

	if (r == SASL_OK)
		r = sasl_listmech(conn, NULL, "", " ", "", &list, NULL, NULL);
	if (r != SASL_OK && r != SASL_NOMECH)
		snprintf(s->trouble, sizeof s->trouble, "Cyrus SASL: %s", sasl_errstring(r, NULL, NULL));
	r = r == SASL_OK || r == SASL_NOMECH ? choose(s, wanted, list) : -1;
	sasl_dispose(&conn);
	return r;
}

/* Split config, "name" or "/dir/name.conf", into s->app and s->dir. Returns 0, or -1 with s->trouble set. */
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
sasl_service_open(struct sasl_service *s, const struct sasl_conf *conf, const char **why)
{
	int r, n = 0;

	*s = (struct sasl_service){ .db = conf->db, .backend = conf->backend, .certs = conf->certs, .realm = conf->realm,
		.only_realm = conf->only_realm, .oauth = conf->oauth, .cache = conf->cache };
	*why = s->trouble;
	if (conf->config && take_config(s, conf->config) < 0) {
		sasl_service_close(s);
		return -1;
	}
	s->callbacks[n++] = (sasl_callback_t){ SASL_CB_LOG, SASL_PROC(log_nothing), s };
	if (!s->app) {
		s->callbacks[n++] = (sasl_callback_t){ SASL_CB_GETOPT, SASL_PROC(get_option), s };
		s->callbacks[n++] = (sasl_callback_t){ SASL_CB_VERIFYFILE, SASL_PROC(verify_file), s };
	} else if (s->dir)
		s->callbacks[n++] = (sasl_callback_t){ SASL_CB_GETCONFPATH, SASL_PROC(get_config_path), s };
	s->callbacks[n] = (sasl_callback_t){ SASL_CB_LIST_END, NULL, NULL };
	r = init_blind(s->callbacks, s->app); /* s->app NULL: Cyrus reads no configuration file */
	if (r == SASL_OK && !s->app)
		r = sasl_auxprop_add_plugin(plugin_name, plugin_init);
	if (r != SASL_OK)
		snprintf(s->trouble, sizeof s->trouble, "Cyrus SASL: %s", sasl_errstring(r, NULL, NULL));
	if (r != SASL_OK || choose_from_cyrus(s, conf->mechs) < 0) {
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
	if (s->oauth && list_has(token_mechs, mech, len)) /* whoever reads a token can use it: RFC 6750 5.3 */
		return facts_is_tls(facts);
	return !list_has(sasl_external, mech, len) || certmap_find(s->certs, facts, user) != CERTMAP_NOBODY;
}
