/* ISC licence, see LICENSE. */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <tls.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/confine.h"
#include "base/number.h"
#include "base/os.h"
#include "base/program.h"
#include "chain/limits.h"
#include "pump.h"

enum {
	FD_NET = 3,
	HANDSHAKE_S = 60,
	LINGER_MS = 10000, /* for the last octets to a slow server */
};

struct conf {
	const char *cafile, *fingerprint, *name;
	long long seconds;
};

/* What the usage says after the name. */
static const char usage_words[] = "[-c cafile] [-F fingerprint] [-t seconds] name";

static int
usage(void)
{
	fprintf(stderr, "usage: tlsc %s\n", usage_words);
	return CHAIN_MISUSE;
}

/*
 * Report the handshake's result to the caller: one line, the first that we write to fd 1, so a short write cannot
 * happen.
 */
static int
tell(char sign, const char *text)
{
	char line[400];
	size_t len;

	snprintf(line, sizeof line - 2, "%c%s", sign, text);
	len = strcspn(line, "\r\n"); /* a text of libtls may have several lines */
	memcpy(line + len, "\r\n", 2);
	return write(1, line, len + 2) == (ssize_t)(len + 2) ? 0 : -1;
}

/* Find the system's file of authorities. The path that libtls knows does not exist on every system. */
static const char *
find_cafile(void)
{
	static const char *const usual[] = { "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem" };
	const char *own = tls_default_ca_cert_file();
	size_t i;

	for (i = 0; i < sizeof usual / sizeof *usual && (!own || access(own, R_OK) < 0); i++)
		own = usual[i];
	return own;
}

static struct tls *
make(const struct conf *conf, const char **why)
{
	struct tls_config *config = tls_config_new();
	struct tls *tls = tls_client();

	*why = "out of memory";
	if (config && tls) {
		tls_config_insecure_noverifyname(config); /* find_fault does it, after the handshake */
		if (conf->fingerprint) { /* the fingerprint proves more than name, time and signature */
			tls_config_insecure_noverifycert(config);
			tls_config_insecure_noverifytime(config);
		}
		*why = NULL;
		if (!conf->fingerprint && tls_config_set_ca_file(config, conf->cafile ? conf->cafile : find_cafile()) < 0)
			*why = tls_config_error(config);
		else if (tls_configure(tls, config) < 0 || tls_connect_fds(tls, FD_NET, FD_NET, conf->name) < 0)
			*why = tls_error(tls);
	}
	if (*why) {
		tell('-', *why);
		tls_free(tls);
		tls = NULL;
	}
	tls_config_free(config);
	return tls;
}

/* Returns true, with why set, if the certificate is not the right one. Its chain was verified unless -F is given. */
static bool
find_fault(struct tls *tls, const struct conf *conf, const char *hash, char *why, size_t n)
{
	if (conf->fingerprint) {
		snprintf(why, n, "another certificate: %s", hash ? hash : "none");
		return !hash || strcasecmp(hash, conf->fingerprint) != 0;
	}
	snprintf(why, n, "name %.150s is not in the server's certificate", conf->name);
	return tls_peer_cert_contains_name(tls, conf->name) != 1;
}

/* Do the handshake and report it. Returns 0 if the server is the right one, or -1. */
static int
begin(struct tls *tls, const struct conf *conf)
{
	static const char quit[] = "QUIT\r\n";
	const char *why, *hash;
	char text[200];

	if (pump_handshake(tls, FD_NET, clock_ms() + conf->seconds * 1000, &why) < 0) {
		tell('-', why);
		return -1;
	}
	hash = tls_peer_cert_hash(tls);
	if (find_fault(tls, conf, hash, text, sizeof text)) {
		/* RFC 3207 4.1: TLS is established, so QUIT is due. Before we tell: the caller does not wait for us then. */
		if (tls_write(tls, quit, sizeof quit - 1) > 0)
			tls_close(tls);
		tell('-', text);
		return -1;
	}
	snprintf(text, sizeof text, "%s %s %s", tls_conn_version(tls), tls_conn_cipher(tls), hash ? hash : "-");
	return tell('+', text);
}

int
main(int argc, char *argv[])
{
	struct conf conf = { .seconds = HANDSHAKE_S };
	struct confine nothing = { .may = 0 };
	const char *why;
	struct tls *tls;
	int c, fd, result = CHAIN_LATER;

	if (program_answers("tlsc", usage_words, argc, argv))
		return CHAIN_DONE;
	while ((c = getopt(argc, argv, "+c:F:t:")) != -1)
		switch (c) {
		case 'c':
			conf.cafile = optarg;
			break;
		case 'F':
			conf.fingerprint = optarg;
			break;
		case 't':
			if (number_parse(optarg, 1, 86400, &conf.seconds) < 0)
				return usage();
			break;
		default:
			return usage();
		}
	if (optind + 1 != argc || (conf.fingerprint && strncasecmp(conf.fingerprint, "SHA256:", 7) != 0))
		return usage();
	conf.name = argv[optind];
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, SIG_IGN); /* a supervisor may signal the whole service; finish the message in hand */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	for (fd = 0; fd <= FD_NET; fd++)
		if (fd != 2 && fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0) {
			perror("tlsc: fd 0, 1 or 3");
			return CHAIN_MISUSE;
		}
	os_undumpable(); /* mail passes through here */
	tls = make(&conf, &why);
	if (tls && confine_now(&nothing, &why) < 0) {
		tell('-', why);
		tls_free(tls);
		tls = NULL;
	}
	if (tls && begin(tls, &conf) == 0) {
		pump_run(tls, 0, 1, FD_NET, LINGER_MS);
		result = CHAIN_DONE;
	}
	tls_free(tls);
	return result;
}
