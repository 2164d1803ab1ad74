/* ISC licence, see LICENSE. */
/*
 * What one full TLS 1.3 handshake costs here and now, with libtls on both sides of a loopback connection, tlsd's
 * settings (no session tickets), and nothing else: no server is cheaper. Taken in the same run it tells a fast hour
 * of a machine from a slow one. With a password, also what one check of it costs: PBKDF2-HMAC-SHA-256 with so many
 * iterations, as in a SCRAM-SHA-256 verifier, and crypt() with that hash.
 */
#define _GNU_SOURCE /* crypt_ra */
#include <crypt.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <tls.h>

#include "tlsd/conf.h"

enum { CHECKS = 20 };

static _Noreturn void
die(const char *what)
{
	fprintf(stderr, "bench-floor: %s\n", what);
	_exit(111);
}

static double
cpu_ms(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1e3 +
	    (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e3;
}

static void
close_tls(struct tls *t, int fd)
{
	tls_close(t);
	tls_free(t);
	close(fd);
}

/* A ticket that comes instead of data makes libtls ask for another try, on a blocking socket too. */
static int
read_octet(struct tls *t)
{
	ssize_t n;
	char octet;

	while ((n = tls_read(t, &octet, 1)) == TLS_WANT_POLLIN)
		;
	return n == 1;
}

/* Serve count connections, one octet each way, and write the CPU that took to report. */
static void
serve(int listener, struct tls *server, int count, int report)
{
	double before, after;
	struct tls *t;
	int i, fd;

	before = cpu_ms();
	for (i = 0; i < count; i++) {
		if ((fd = accept(listener, NULL, NULL)) == -1 || tls_accept_socket(server, &t, fd) == -1)
			die("accept");
		if (tls_handshake(t) == -1 || !read_octet(t) || tls_write(t, "x", 1) != 1)
			die(tls_error(t));
		close_tls(t, fd);
	}
	after = cpu_ms();
	if (write(report, (double[]){ after - before }, sizeof(double)) != sizeof(double))
		die("report");
	_exit(0);
}

/* Print what one check of the password costs, each way. */
static void
check_password(const char *password, int iterations, const char *hash)
{
	static const unsigned char salt[16];
	unsigned char key[32];
	double before = cpu_ms(), between;
	void *data = NULL;
	int i, size = 0;

	for (i = 0; i < CHECKS; i++)
		if (PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt, sizeof salt, iterations, EVP_sha256(), sizeof key,
		    key) != 1)
			die("PBKDF2");
	between = cpu_ms();
	for (i = 0; i < CHECKS; i++) {
		const char *made = crypt_ra(password, hash, &data, &size);

		if (!made || strcmp(made, hash) != 0)
			die("crypt: not the hash of that password");
	}
	free(data);
	printf(" pbkdf2_ms=%.3f crypt_ms=%.3f", (between - before) / CHECKS, (cpu_ms() - between) / CHECKS);
}

int
main(int argc, char *argv[])
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	struct tls_config *config;
	struct authority authority = { .judges = false };
	struct buf why = { 0 };
	struct tls *context;
	socklen_t size = sizeof at;
	int count, i, fd, listener, report[2], status;
	double client, server;
	pid_t pid;

	if ((argc != 4 && argc != 7) || (count = atoi(argv[3])) < 1 || (argc == 7 && atoi(argv[5]) < 1)) {
		fputs("usage: bench-floor cert key handshakes [password iterations crypt-hash]\n", stderr);
		return 100;
	}
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (listener == -1 || bind(listener, (struct sockaddr *)&at, size) == -1 || listen(listener, 16) == -1 ||
	    getsockname(listener, (struct sockaddr *)&at, &size) == -1 || pipe(report) == -1)
		die("listen");
	context = tlsconf_server(&(struct tlsconf){ .pair = {{ .cert = argv[1], .key = argv[2] }}, .n = 1, .only_13 = true },
	    &authority, &why);
	if (!context)
		die(why.p);
	alarm(60); /* when one of the two dies the other would wait for ever; a child has no alarm of its parent's */
	if ((pid = fork()) == -1)
		die("fork");
	if (pid == 0) {
		alarm(60);
		serve(listener, context, count, report[1]);
	}
	close(listener);
	close(report[1]);

	tls_free(context);
	if (!(config = tls_config_new()) || tls_config_set_protocols(config, TLS_PROTOCOL_TLSv1_3) == -1)
		die("memory");
	tls_config_insecure_noverifycert(config);
	tls_config_insecure_noverifyname(config);
	client = cpu_ms();
	for (i = 0; i < count; i++) {
		struct tls *t = tls_client();

		if (!t || tls_configure(t, config) == -1)
			die("memory");
		if ((fd = socket(AF_INET, SOCK_STREAM, 0)) == -1 || connect(fd, (struct sockaddr *)&at, sizeof at) == -1)
			die("connect");
		if (tls_connect_socket(t, fd, "localhost") == -1 || tls_handshake(t) == -1 || tls_write(t, "x", 1) != 1 ||
		    !read_octet(t))
			die(tls_error(t));
		close_tls(t, fd);
	}
	client = cpu_ms() - client;
	tls_config_free(config);
	if (read(report[0], &server, sizeof server) != sizeof server || waitpid(pid, &status, 0) != pid || status != 0)
		die("the server failed");
	printf("server_ms=%.3f client_ms=%.3f", server / count, client / count);
	if (argc == 7)
		check_password(argv[4], atoi(argv[5]), argv[6]);
	printf("\n");
	return 0;
}
