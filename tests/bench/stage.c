/* ISC licence, see LICENSE. */
/*
 * What a resident message stage costs by itself. Gives so many messages to the stage that listens at path, as submitd
 * does, one after the other, and prints one line: messages, refused, us of wall time a message, and for each pool (a
 * path; the CPU of its workers) cpu_us:PATH a message. -k first gives so many that are not counted.
 *
 * With -d it is itself such a stage, which says 250 to everything: what qualify and stamp have as the next one.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "chain/limits.h"
#include "msa/msgfile.h"
#include "stage/run.h"

enum { POOLS_MAX = 8, ANSWER_MS = 10000 };

/* What a submission over TLS knows, and something of an operator's. */
static const char *const facts[][2] = {
	{ "PROTO", "TCP" }, { "TCPREMOTEIP", "192.0.2.77" }, { "TCPREMOTEPORT", "41234" },
	{ "TCPREMOTEHOST", "client.example.org" }, { "TCPLOCALIP", "192.0.2.1" }, { "TCPLOCALPORT", "587" },
	{ "MSA_HOST", "mail.example.net" }, { "MSA_EHLO", "8BITMIME,SMTPUTF8" }, { "MSA_SESSION", "1t5k3zm0000000" },
	{ "SSL_PROTOCOL", "TLSv1.3" }, { "SSL_CIPHER", "TLS_AES_256_GCM_SHA384" }, { "SSL_CIPHER_USEKEYSIZE", "256" },
	{ "SSL_TLS_SNI_SERVERNAME", "mail.example.net" }, { "SMTPAUTHUSER", "alice@example.net" },
	{ "SMTPAUTHMETHOD", "PLAIN" }, { "MSA_VERB", "EHLO" }, { "MSA_HELO", "client.example.org" },
	{ "MSA_MESSAGE", "1t5k3zm1111111" }, { "MSA_RCPTS", "1" },
};

static int
discard(struct call *call, void *conf)
{
	(void)conf;
	return call_verdict(call, REPLY_OK, NULL);
}

/* The process that listens there; 0: none. */
static pid_t
listener_of(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct { pid_t pid; uid_t uid; gid_t gid; } peer = { 0 }; /* struct ucred */
	socklen_t len = sizeof peer;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sun.sun_path, sizeof sun.sun_path, "%s", path);
	if (connect(fd, (struct sockaddr *)&sun, sizeof sun) < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		peer.pid = 0;
	close(fd);
	return peer.pid;
}

/* Nanoseconds of CPU of pid's children, as long as they live. */
static double
cpu_of(pid_t pid)
{
	char path[64];
	double sum = 0, one;
	FILE *children, *f;
	int child;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
	children = fopen(path, "r");
	while (children && fscanf(children, "%d", &child) == 1) {
		snprintf(path, sizeof path, "/proc/%d/schedstat", child);
		f = fopen(path, "r");
		if (f && fscanf(f, "%lf", &one) == 1)
			sum += one;
		if (f)
			fclose(f);
	}
	if (children)
		fclose(children);
	return sum;
}

/* size octets, as a client sends them that leaves Date and Message-ID to us. */
static int
make_message(long size)
{
	static const char header[] = "From: Alice <alice@example.net>\r\nTo: Bob <bob@example.org>\r\n"
		"Subject: A message to measure with\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n";
	char line[] = "the quick brown fox jumps over the lazy dog, again and again and again, 0123\r\n";
	struct msgfile m = { 0 };

	msgfile_add(&m, header, sizeof header - 1);
	while (m.size < size)
		msgfile_add(&m, line, sizeof line - 1);
	return msgfile_finish(&m);
}

static int
make_envelope(void)
{
	static const char text[] = "MAIL FROM:<alice@example.net> BODY=8BITMIME\nRCPT TO:<bob@example.org>\n";
	struct msgfile m = { 0 };

	msgfile_add(&m, text, sizeof text - 1);
	return msgfile_finish(&m);
}

static long
give(struct call *call, const char *path, long n, int *failed)
{
	char word[] = "call", *argv[] = { word, NULL };
	const struct next next = { .how = NEXT_CALL, .argv = argv, .path = path };
	long refused = 0;

	while (n-- > 0 && !*failed) {
		struct verdict v = { 0 };
		bool mixed;

		*failed = call_deliver(call, &next, call->in, call->envelope, 1, clock_ms() + ANSWER_MS, &v) < 0;
		if (!*failed && verdict_reduce(&v, &mixed))
			refused++;
		verdict_free(&v);
	}
	return refused;
}

static int
measure(long messages, long before, long size, char *const path[], int n)
{
	struct call call = {
		.kind = CALL_MESSAGE, .in = make_message(size), .out = -1, .envelope = make_envelope(), .stop = -1
	};
	double cpu[POOLS_MAX], wall;
	char deadline[24];
	pid_t pid[POOLS_MAX];
	long refused;
	size_t f;
	int i, failed = 0;

	log_open(&call.log, "bench-stage", -1);
	for (f = 0; f < sizeof facts / sizeof *facts; f++)
		failed |= facts_set(&call.facts, facts[f][0], facts[f][1]) < 0;
	snprintf(deadline, sizeof deadline, "%lld", (long long)time(NULL) + 3600);
	failed |= facts_set(&call.facts, "MSA_DEADLINE", deadline) < 0 || call.in < 0 || call.envelope < 0;
	give(&call, path[0], before, &failed);
	for (i = 0; i < n; i++) {
		pid[i] = listener_of(path[i]);
		failed |= pid[i] == 0;
		cpu[i] = cpu_of(pid[i]);
	}
	wall = (double)clock_ms();
	refused = give(&call, path[0], messages, &failed);
	wall = (double)clock_ms() - wall;
	if (failed)
		return CHAIN_LATER;
	printf("messages=%ld octets=%ld refused=%ld wall_us=%.1f", messages, size, refused, wall * 1e3 / (double)messages);
	for (i = 0; i < n; i++)
		printf(" cpu_us:%s=%.1f", path[i], (cpu_of(pid[i]) - cpu[i]) / 1e3 / (double)messages);
	printf("\n");
	call_end(&call);
	return refused ? CHAIN_REFUSED : CHAIN_DONE;
}

static const struct stage stage = {
	.name = "bench-stage", .kind = STAGE_MESSAGE, .next = STAGE_DELIVERS, .usage = "-l path", .serve = discard
};

int
main(int argc, char *argv[])
{
	long messages = 10000, before = 100, size = 10240;
	int c;

	if (argc > 1 && strcmp(argv[1], "-d") == 0) /* the stage at the end of what is measured */
		return stage_main(&stage, argc - 1, argv + 1);
	while ((c = getopt(argc, argv, "+k:n:z:")) != -1)
		switch (c) {
		case 'k':
			before = atol(optarg);
			break;
		case 'n':
			messages = atol(optarg);
			break;
		case 'z':
			size = atol(optarg);
			break;
		default:
			return CHAIN_MISUSE;
		}
	if (optind == argc || argc - optind > POOLS_MAX || messages < 1) {
		fputs("usage: bench-stage [-k before] [-n messages] [-z octets] path [pool ...] | bench-stage -d -l path\n", stderr);
		return CHAIN_MISUSE;
	}
	return measure(messages, before, size, argv + optind, argc - optind);
}
