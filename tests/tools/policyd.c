/* ISC licence, see LICENSE. */
/*
 * A policy server, in the protocol of Postfix, that answers what a test tells it to.
 *
 * usage: policyd [-n connections] [-r file] [-t seconds] [-u path] answer ...
 *
 * Listens on the Unix socket path, or on a free port of 127.0.0.1; prints its address when it does; serves that many
 * connections (1), one after another, and ends; or ends after so many seconds (120) whatever happens. The answers are
 * those to the first question, the second one and so on; the last one is the answer to all that follow. -r: file gets
 * every question.
 * An answer is an action, "DUNNO", or one of these:
 *     raw:octets    sent as they are; \n \0 \xHH as in C
 *     cut:octets    the same, then close
 *     drip:octets   the same, one octet at a time
 *     flood:octets  them, again and again until the client closes
 *     close         close the connection      stall   say nothing more until the client closes
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/scripted.h"

/* Returns whether the connection goes on. */
static int
answer(int fd, const char *text)
{
	const char *colon = strchr(text, ':');
	size_t how = colon ? (size_t)(colon - text) : 0;
	struct buf out = { 0 };
	char got[4096];
	int on = 1;

	if (strcmp(text, "close") == 0)
		return 0;
	if (strcmp(text, "stall") == 0) {
		while (read(fd, got, sizeof got) > 0)
			;
		return 0;
	}
	if (how == 3 && (strncmp(text, "raw", 3) == 0 || strncmp(text, "cut", 3) == 0)) {
		add_octets(&out, colon + 1);
		on = send_all(fd, out.p, out.len) == 0 && text[0] == 'r';
	} else if (how == 4 && strncmp(text, "drip", 4) == 0) {
		add_octets(&out, colon + 1);
		for (size_t i = 0; on && i < out.len; i++)
			on = send_all(fd, out.p + i, 1) == 0;
	} else if (how == 5 && strncmp(text, "flood", 5) == 0) {
		for (int i = 0; i < 1000; i++)
			add_octets(&out, colon + 1);
		while (send_all(fd, out.p, out.len) == 0)
			;
		on = 0;
	} else {
		add(&out, "action=", 7);
		add_octets(&out, text);
		add(&out, "\n\n", 2);
		on = send_all(fd, out.p, out.len) == 0;
	}
	buf_free(&out);
	return on;
}

static void
serve(int fd, char ***answers, const char *record)
{
	struct buf have = { 0 };

	for (;;) {
		char got[65536];
		char *end;
		size_t size;

		while (!(end = find(&have, 0, "\n\n"))) {
			ssize_t n = read(fd, got, sizeof got);

			if (n <= 0)
				goto out;
			add(&have, got, (size_t)n);
		}
		size = (size_t)(end - have.p) + 2;
		if (record)
			append(record, have.p, size);
		buf_consume(&have, size);
		if (!answer(fd, (*answers)[1] ? *(*answers)++ : **answers))
			break;
	}
out:
	buf_free(&have);
}

int
main(int argc, char *argv[])
{
	const char *record = NULL, *path = NULL;
	int count = 1, limit = 120, option, listening;

	while ((option = getopt(argc, argv, "n:r:t:u:")) != -1)
		switch (option) {
		case 'n':
			count = atoi(optarg);
			break;
		case 'r':
			record = optarg;
			break;
		case 't':
			limit = atoi(optarg);
			break;
		case 'u':
			path = optarg;
			break;
		default:
			return 1;
		}
	argv += optind;
	if (!*argv)
		die("policyd: no answer");
	signal(SIGPIPE, SIG_IGN);
	alarm((unsigned)limit);
	listening = listen_and_tell(path);
	while (count-- > 0) {
		int fd = next_connection(listening);

		serve(fd, &argv, record);
		close(fd);
	}
	return 0;
}
