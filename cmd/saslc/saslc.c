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
#include "base/confine.h"
#include "base/os.h"
#include "base/program.h"
#include "chain/limits.h"
#include "msa/buf.h"
#include "net/lineio.h"

enum {
	FD_CREDENTIALS = 3,
	CREDENTIALS_MAX = 4096, /* octets of the file */
	WAIT_MS = 600000, /* for a line; the caller has a deadline of its own */
};

/*
 * The mechanisms in order of preference: first those that prove that the server knows the password. The first one that
 * both the server and the library have is used.
 */
static const char *const mechs[] = {
	"SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN",
};

struct credentials {
	char text[CREDENTIALS_MAX + 1];
	const char *user;
	union { /* the password, in Cyrus SASL's form */
		sasl_secret_t secret;
		char room[sizeof(sasl_secret_t) + CREDENTIALS_MAX + 1];
	} password;
};

/* Send a line to the caller, which waits for it. Returns 0, or -1. */
static int
tell(struct lineio *c, char sign, const char *mech, const char *response)
{
	return buf_printf(&c->out, "%c %s%s%s\r\n", sign, mech, *mech ? " " : "", response) < 0 ||
	    lineio_flush(c, WAIT_MS) < 0 ? -1 : 0;
}

/* End a line before the CR of an editor that writes CR LF. */
static void
cut_cr(char *line)
{
	size_t n = strlen(line);

	if (n > 0 && line[n - 1] == '\r')
		line[n - 1] = '\0';
}

/*
 * Read two lines, user and password. What an editor adds, a CR before the LF and a mark of UTF-8 in front, is no part
 * of them. Returns 0, or -1 and *why.
 */
static int
read_credentials(struct credentials *k, const char **why)
{
	ssize_t n = pread(FD_CREDENTIALS, k->text, CREDENTIALS_MAX, 0);
	static const char mark[] = "\xef\xbb\xbf";
	char *lf, *password, *user = k->text;

	*why = "the credentials are not two lines, user and password";
	if (n <= 0 || memchr(k->text, '\0', (size_t)n))
		return -1;
	if (strncmp(user, mark, strlen(mark)) == 0)
		user += strlen(mark);
	lf = strchr(user, '\n');
	if (!lf)
		return -1;
	k->user = user;
	password = lf + 1;
	*lf = '\0';
	lf = strchr(password, '\n');
	if (lf && lf[1])
		return -1;
	if (lf)
		*lf = '\0';
	cut_cr(user);
	cut_cr(password);
	if (!*user || !*password)
		return -1;
	k->password.secret.len = strlen(password);
	memcpy(k->password.secret.data, password, k->password.secret.len + 1);
	return 0;
}

static int
get_user(void *context, int id, const char **result, unsigned *len)
{
	const struct credentials *k = context;

	/* SASL_CB_USER asks whom to act as: an empty name means the user itself */
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

/* Returns true if mech is one of the words of list. */
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

/* Encode a response in base64: "=" for an empty one, "-" for none (NULL). Returns 0, or -1. */
static int
encode(struct buf *b, const char *response, unsigned len)
{
	buf_wipe(b);
	if (!response)
		return buf_puts(b, "-");
	return len == 0 ? buf_puts(b, "=") : base64_encode(b, response, len);
}

/*
 * Start the best mechanism among those offered, then answer each challenge that the caller sends until it closes.
 * Returns 0, or -1 and *why.
 */
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

		*why = "challenge is not base64";
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
	failed = 0; /* the caller has closed */
out:
	buf_wipe(&text);
	return failed;
}

/* Serve the caller on fds 0 and 1. Returns 0, or -1 and *why. */
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
	struct confine confine = { .may = 0 };
	sasl_conn_t *sasl = NULL;
	size_t n;
	int r = -1;

	*why = "first line is not: service host mechanisms";
	if (lineio_line(c, LINE_COMMAND_MAX, WAIT_MS, &line, &n) != LINE_OK || !(host = strchr(line, ' ')) ||
	    !(offered = strchr(host + 1, ' ')))
		return -1;
	*host++ = '\0';
	*offered++ = '\0';
	snprintf(list, sizeof list, "%s", offered);
	confine_reads(&confine, "/dev/urandom"); /* for SCRAM's nonces; without it Cyrus takes the time */
	*why = "Cyrus SASL does not start";
	if (sasl_client_init(callbacks) == SASL_OK &&
	    sasl_client_new(line, host, NULL, NULL, NULL, 0, &sasl) == SASL_OK &&
	    sasl_setprop(sasl, SASL_SEC_PROPS, &props) == SASL_OK && confine_now(&confine, why) == 0)
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

	if (program_answers("saslc", "", argc, argv))
		return CHAIN_DONE;
	if (getopt(argc, argv, "+") != -1 || optind != argc) {
		fputs("usage: saslc\n", stderr);
		return CHAIN_MISUSE;
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, SIG_IGN); /* sent to all by a supervisor; the current message must be completed */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	os_undumpable();
	unsetenv("SASL_PATH"); /* the caller must not choose the code that sees the password */
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
