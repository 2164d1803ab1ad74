/* ISC licence, see LICENSE. */
/*
 * The last stage of a message chain, for tests: store what arrives and answer for every recipient.
 *
 * usage: inject-file [-r reply] [-x code] [-s seconds] directory
 *
 * Makes directory/1, directory/2 ... (one for each message, the first free number) with the files message (fd 0, whole,
 * whatever its offset), envelope (fd 3) and environment (NAME=value, sorted). Then answers, a line for each recipient:
 * the reply that stands in its place, else that of -r (250 2.0.0 Stored), after -s seconds, and ends with -x (0).
 * Where fd 0 or fd 3 is no regular file, or MSA_RCPTS is not the number of recipients: 451, and nothing is stored.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/scripted.h"

extern char **environ;

static void
give_up(const char *what, const char *why)
{
	fprintf(stderr, "inject-file: %s %s\n", what, why);
	printf("451 4.3.0 %s %s\n", what, why);
	exit(111);
}

static void
read_whole(int fd, const char *what, struct buf *b)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		give_up(what, "is not there");
	if (!S_ISREG(st.st_mode))
		give_up(what, "is no regular file");
	while (b->len < (size_t)st.st_size) {
		size_t size = (size_t)st.st_size - b->len;
		ssize_t got;

		if (buf_room(b, size) < 0)
			die("out of memory");
		if ((got = pread(fd, b->p + b->len, size, (off_t)b->len)) <= 0)
			give_up(what, "became shorter");
		b->len += (size_t)got;
	}
}

static void
store(const char *place, const char *name, const struct buf *b)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/%s", place, name);
	append(path, b->p, b->len);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
add_environment(struct buf *b)
{
	size_t n = 0;

	while (environ[n])
		n++;
	qsort(environ, n, sizeof *environ, by_name);
	for (size_t i = 0; i < n; i++) {
		add(b, environ[i], strlen(environ[i]));
		add(b, "\n", 1);
	}
}

/* Print the answer to each line of the envelope but the first. Returns their number. */
static int
answer(const struct buf *envelope, const char *reply, int print)
{
	struct buf copy = { 0 };
	char *rest;
	int n = 0;

	add(&copy, envelope->p, envelope->len);
	add(&copy, "", 1);
	rest = copy.p;
	part(&rest, '\n');
	for (char *line; (line = part(&rest, '\n'));) {
		line[strcspn(line, "\r")] = '\0';
		if ((!rest && *line == '\0') || strncmp(line, "COPY TO:", 8) == 0)
			continue;
		if (print)
			printf("%s\r\n", strncmp(line, "RCPT TO:", 8) == 0 ? reply : line);
		n++;
	}
	buf_free(&copy);
	return n;
}

int
main(int argc, char *argv[])
{
	const char *reply = "250 2.0.0 Stored", *rcpts = getenv("MSA_RCPTS");
	struct buf message = { 0 }, envelope = { 0 }, environment = { 0 };
	double seconds = 0;
	int code = 0, option;
	char place[4000], number[16];

	while ((option = getopt(argc, argv, "+r:s:x:")) != -1)
		switch (option) {
		case 'r':
			reply = optarg;
			break;
		case 's':
			seconds = atof(optarg);
			break;
		case 'x':
			code = atoi(optarg);
			break;
		default:
			return 1;
		}
	if (argc - optind != 1)
		die("usage: inject-file [-r reply] [-x code] [-s seconds] directory");
	read_whole(0, "fd 0", &message);
	read_whole(3, "fd 3", &envelope);
	snprintf(number, sizeof number, "%d", answer(&envelope, reply, 0));
	if (!rcpts || strcmp(rcpts, number) != 0)
		give_up("MSA_RCPTS", "is not the number of recipients");
	mkdir(argv[optind], 0777);
	for (int n = 1;; n++) {
		snprintf(place, sizeof place, "%s/%d", argv[optind], n);
		if (mkdir(place, 0777) == 0)
			break;
		if (errno != EEXIST)
			die("inject-file: %s: %s", place, strerror(errno));
	}
	add_environment(&environment);
	store(place, "message", &message);
	store(place, "envelope", &envelope);
	store(place, "environment", &environment);
	pause_for(seconds);
	answer(&envelope, reply, 1);
	buf_free(&message);
	buf_free(&envelope);
	buf_free(&environment);
	return code;
}
