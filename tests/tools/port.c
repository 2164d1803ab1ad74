/* ISC licence, see LICENSE. */
/*
 * usage: port free            prints a port of 127.0.0.1 that nobody listens at
 *        port accepts number  exits with 0 if a connection to it is taken; or a path: to that Unix socket
 */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/scripted.h"

/*
 * The ports below those that the system gives to clients by itself (32,768 on Linux): else a client of another test may
 * have it before the server that it is for. Two processes of the near past never try the same one first.
 */
enum { FIRST = 10240, PORTS = 22528, STEP = 7, TRIES = 1000, NEXT = 1009 };

static void
find_free(int fd, struct sockaddr_in *in)
{
	unsigned i;

	for (i = 0; i < TRIES; i++) {
		in->sin_port = htons((in_port_t)(FIRST + ((unsigned)getpid() + i * NEXT) * STEP % PORTS));
		if (bind(fd, (struct sockaddr *)in, sizeof *in) == 0)
			return;
	}
	die("port: no port is free");
}

int
main(int argc, char *argv[])
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	bool is_path = argc == 3 && *argv[2] == '/';
	int fd = socket(is_path ? AF_UNIX : AF_INET, SOCK_STREAM, 0);

	if (is_path && strcmp(argv[1], "accepts") == 0) {
		snprintf(un.sun_path, sizeof un.sun_path, "%s", argv[2]);
		return connect(fd, (struct sockaddr *)&un, sizeof un) < 0;
	}
	if (argc == 3 && strcmp(argv[1], "accepts") == 0) {
		in.sin_port = htons((in_port_t)atoi(argv[2]));
		return connect(fd, (struct sockaddr *)&in, sizeof in) < 0;
	}
	if (argc != 2 || strcmp(argv[1], "free") != 0)
		die("usage: port free | port accepts number");
	find_free(fd, &in);
	printf("%d\n", ntohs(in.sin_port));
	return 0;
}
