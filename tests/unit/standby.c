/* ISC licence, see LICENSE. */
#include "stage/standby.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

/*
 * usage: test-unit standby octets prog [arg ...]
 * Start prog as a standby, with SSL_CIPHER, SSL_PROTOCOL of two lines and as many octets of a fact that is not tlsd's.
 * Print what prog writes. Octets "-": nothing is sent, and the standby ends.
 */
int
unit_standby(int argc, char **argv)
{
	struct call call = { .in = -1, .out = -1, .envelope = -1, .stop = -1 };
	struct facts f = { 0 };
	struct standby s;
	struct next next;
	size_t n = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
	char *text = calloc(1, n + 1), data[4096];
	ssize_t r;
	int fd;

	if (argc < 3 || !text || facts_from_environ(&call.facts) < 0)
		return 100;
	next = next_parse(argv + 2);
	memset(text, 'x', n);
	log_open(&call.log, "unit", -1);
	if (facts_set(&f, "SSL_CIPHER", "cipher") < 0 || facts_set(&f, "MSA_X_LONG", text) < 0 ||
	    facts_set(&f, "SSL_PROTOCOL", "a\nb") < 0 ||
	    standby_fork(&s, &call, &next) < 0)
		return 111;
	fd = strcmp(argv[1], "-") == 0 ? -1 : standby_go(&s, &f);
	if (fd < 0 && *argv[1] != '-')
		printf("not sent: %s\n", strerror(errno));
	fflush(stdout);
	while (fd >= 0 && (r = read(fd, data, sizeof data)) > 0)
		if (write(1, data, (size_t)r) != r)
			return 111;
	if (fd >= 0)
		close(fd);
	standby_wait(&s);
	facts_free(&f);
	facts_free(&call.facts);
	free(text);
	return 0;
}
