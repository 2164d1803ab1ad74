/* ISC licence, see LICENSE. */
#include <sasl/sasl.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/os.h"
#include "chain/limits.h"
#include "net/lineio.h"

enum {
	FD_CREDENTIALS = 3,
	CREDENTIALS_MAX = 4096, /* octets of the file */
	WAIT_MS = 600000, /* for a line: whoever speaks with us has a deadline of its own */
};

/* The first that the server offers and the library has. What proves that the server knows the password is better. */
static const char *const mechs[] = {
	"SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN",
};

struct credentials {
	char text[CREDENTIALS_MAX + 1];
	const char *user;
	union { /* as Cyrus wants a password */
		sasl_secret_t secret;
		char room[sizeof(sasl_secret_t) + CREDENTIALS_MAX + 1];
	} password;
};

/* A line to whoever speaks with us; the reader waits for it, so it leaves before the next is read. */
static int
tell(struct lineio *c, char sign, const char *mech, const char *response)
{
	return buf_printf(&c->out, "%c %s%s%s\r\n", sign, mech, *mech ? " " : "", response) < 0 ||
	    lineio_flush(c, WAIT_MS) < 0 ? -1 : 0;
}

/* Two lines: the user, the password. */
static int
read_credentials(struct credentials *k, const char **why)
{
	ssize_t n = pread(FD_CREDENTIALS, k->text, CREDENTIALS_MAX, 0);
	char *lf, *password;

	*why = "the credentials are not two lines, user and password";
	if (n <= 0 || memchr(k->text, '\0', (size_t)n))
		return -1;
	lf = strchr(k->text, '\n');
	if (!lf || lf == k->text)
		return -1;
	k->user = k->text;
	password = lf + 1;
	*lf = '\0';
	lf = strchr(password, '\n');
	if (lf && lf[1])
		return -1;
	if (lf)
		*lf = '\0';
	if (!*password)
		return -1;
	k->password.secret.len = strlen(password);
	memcpy(k->password.secret.data, password, k->password.secret.len + 1);
	return 0;
}

static int
get_user(void *context, int id, const char **result, unsigned *len)
{
	const struct credentials *k = context;

	/* whom to act as: nobody but the user itself, which is what an empty name says */
	*result = id == SASL_CB_AUTHNAME ? k->user : "";
	if (len)
		*len = (unsigned)strlen(*result);
	return SASL_OK;
}

static int
get_password(sasl_conn_t *conn, void *context, int id, sasl_secret_t **secret)
{
	struct credentials *k = context;

	(void)conn;
	(void)id;
	*secret = &k->password.secret;
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

/* mech is one of the words of list. */
static int
is_offered(const char *list, const char *mech)
{
	size_t n = strlen(mech);
	const char *p;

	for (p = list; (p = strstr(p, mech)); p += n)
		if ((p == list || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
			return 1;
	return 0;
}

/* A response in base64: "=" where it is empty, "-" where there is none. */
static int
encode(struct buf *b, const char *response, unsigned len)
{
	buf_wipe(b);
	if (!response)
		return buf_puts(b, "-");
	return len == 0 ? buf_puts(b, "=") : base64_encode(b, response, len);
}

/* The exchange: the first line says what the server offers, the others are its challenges. 0, or -1 with *why. */
static int
exchange(struct lineio *c, sasl_conn_t *sasl, const char *offered, const char **why)
{
	const char *response = NULL, *mech = NULL;
	struct buf text = { 0 };
	unsigned len = 0;
	int r = SASL_NOMECH, failed = -1;
	size_t i, n;
	char *line;

	for (i = 0; r == SASL_NOMECH && i < sizeof mechs / sizeof *mechs; i++)
		if (is_offered(offered, mechs[i]))
			r = sasl_client_start(sasl, mechs[i], NULL, &response, &len, &mech);
	*why = r == SASL_NOMECH ? "no mechanism in common" : sasl_errstring(r, NULL, NULL);
	if ((r != SASL_OK && r != SASL_CONTINUE) || encode(&text, response, len) < 0 ||
	    tell(c, r == SASL_OK ? '.' : '+', mech, text.p) < 0)
		goto out;
	while (lineio_line(c, LINE_AUTH_MAX, WAIT_MS, &line, &n) == LINE_OK) {
		ssize_t m = strcmp(line, "=") == 0 ? 0 : base64_decode(line, line, n);

		*why = "a challenge that is not base64";
		if (m < 0)
			goto out;
		r = sasl_client_step(sasl, line, (unsigned)m, NULL, &response, &len);
		*why = sasl_errstring(r, NULL, NULL);
		if (r != SASL_OK && r != SASL_CONTINUE)
			goto out;
		if (encode(&text, response ? response : "", response ? len : 0) < 0 ||
		    tell(c, r == SASL_OK ? '.' : '+', "", text.p) < 0)
			goto out;
	}
	failed = 0; /* nothing more is asked */
out:
	buf_wipe(&text);
	return failed;
}

/* Speak with fd 0 and 1. 0, or -1 with *why. */
static int
serve(struct lineio *c, struct credentials *k, const char **why)
{
	const sasl_callback_t callbacks[] = {
		{ SASL_CB_LOG, (int (*)(void))(void (*)(void))log_nothing, NULL },
		{ SASL_CB_USER, (int (*)(void))(void (*)(void))get_user, k },
		{ SASL_CB_AUTHNAME, (int (*)(void))(void (*)(void))get_user, k },
		{ SASL_CB_PASS, (int (*)(void))(void (*)(void))get_password, k },
		{ SASL_CB_LIST_END, NULL, NULL },
	};
	sasl_security_properties_t props = { .maxbufsize = 0, .security_flags = SASL_SEC_NOANONYMOUS };
	char *line, *host, *offered, list[512];
	sasl_conn_t *sasl = NULL;
	size_t n;
	int r = -1;

	*why = "no first line: service host mechanisms";
	if (lineio_line(c, LINE_COMMAND_MAX, WAIT_MS, &line, &n) != LINE_OK || !(host = strchr(line, ' ')) ||
	    !(offered = strchr(host + 1, ' ')))
		return -1;
	*host++ = '\0';
	*offered++ = '\0';
	snprintf(list, sizeof list, "%s", offered);
	*why = "Cyrus SASL does not start";
	if (sasl_client_init(callbacks) == SASL_OK &&
	    sasl_client_new(line, host, NULL, NULL, NULL, 0, &sasl) == SASL_OK &&
	    sasl_setprop(sasl, SASL_SEC_PROPS, &props) == SASL_OK)
		r = exchange(c, sasl, list, why);
	sasl_dispose(&sasl);
	sasl_done();
	return r;
}

int
main(int argc, char *argv[])
{
	struct credentials k = { .user = NULL };
	const char *why;
	struct lineio c;
	int r;

	if (getopt(argc, argv, "+") != -1 || optind != argc) {
		fputs("usage: saslc\n", stderr);
		return CHAIN_MISUSE;
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, SIG_IGN); /* a supervisor may send them to all: the message in hand must come to its end */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	os_undumpable();
	unsetenv("SASL_PATH"); /* or the caller would choose what code sees the password */
	unsetenv("SASL_CONF_PATH");
	lineio_open(&c, 0, 1);
	r = read_credentials(&k, &why) < 0 ? -1 : serve(&c, &k, &why);
	if (r < 0)
		tell(&c, '-', "", why);
	buf_wipe(&c.out);
	explicit_bzero(&c, sizeof c);
	explicit_bzero(&k, sizeof k);
	return r < 0 ? CHAIN_LATER : CHAIN_DONE;
}
