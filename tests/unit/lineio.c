/* ISC licence, see LICENSE. */
#include "net/lineio.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "submit/pace.h"
#include "unit.h"

static const char *
result(enum line_result r)
{
	static const char *const names[] = { "OK", "EOF", "LONG", "BAD", "TIMEOUT", "ERROR" };

	return names[r];
}

static long
memory(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss;
}

/* Everything that is still to be had from fd 0, without waiting for more than a moment. */
static void
show_rest(void)
{
	char rest[65536];
	ssize_t n;

	while ((n = recv(0, rest, sizeof rest, MSG_DONTWAIT)) > 0 ||
	       (n < 0 && errno == ENOTSOCK && (n = read(0, rest, sizeof rest)) > 0)) {
		printf("rest ");
		unit_show(rest, (size_t)n);
		putchar('\n');
	}
}

/* What was written to the other end, a line for each write. */
static void
show_sent(int fd)
{
	char data[65536];
	ssize_t n;

	while ((n = recv(fd, data, sizeof data, MSG_DONTWAIT)) > 0) {
		printf("sent ");
		unit_show(data, (size_t)n);
		putchar('\n');
	}
}

/*
 * Read lines from fd 0 and show each result. -e exact; -m max; -w wait_ms; -d session's deadline in ms; -n stop after n
 * results; -a answer each line; -r show what is left in fd 0 at the end; -c show each write (to a
 * socket that keeps their bounds) at the end; -f n write n octets to fd 0 and say how that went; -q only
 * say whether memory grew; -s n skip n octets after the first line.
 */
int
unit_lineio(int argc, char **argv)
{
	struct lineio c;
	int opt, exact = 0, wait_ms = 5000, n = -1, answer = 0, rest = 0, count = 0, fill = 0, quiet = 0, skip = 0, i = 0;
	int sv[2];
	size_t max = LINE_COMMAND_MAX, len;
	int64_t deadline = 0;
	char *line;
	long before;
	enum line_result r;

	while ((opt = getopt(argc, argv, "+em:w:d:n:arcf:qs:")) != -1)
		switch (opt) {
		case 'e': exact = 1; break;
		case 'm': max = strtoul(optarg, NULL, 10); break;
		case 'w': wait_ms = atoi(optarg); break;
		case 'd': deadline = clock_ms() + atoi(optarg); break;
		case 'n': n = atoi(optarg); break;
		case 'a': answer = 1; break;
		case 'r': rest = 1; break;
		case 'c': count = 1; break;
		case 'f': fill = atoi(optarg); break;
		case 'q': quiet = 1; break;
		case 's': skip = atoi(optarg); break;
		default: return 100;
		}
	if (count && socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv) < 0)
		return 111;
	lineio_open(&c, 0, count ? sv[0] : 0);
	c.exact = exact;
	c.deadline_ms = deadline;
	if (fill) {
		char *data = calloc(1, (size_t)fill);
		int64_t start = clock_ms();
		int w = lineio_write(&c, data, (size_t)fill, wait_ms);

		printf("write %d %s %s\n", w, w < 0 ? strerror(errno) : "",
		    clock_ms() - start < wait_ms + 10000 ? "in time" : "too late");
		free(data);
		lineio_close(&c);
		return 0;
	}
	before = memory();
	do {
		int64_t start = clock_ms();

		line = NULL;
		r = lineio_line(&c, max, wait_ms, &line, &len);
		if (clock_ms() - start > wait_ms + 1000)
			printf("too late ");
		if (quiet)
			printf("%s%s\n", result(r), memory() - before > 1024 ? " grew" : "");
		else {
			printf("%s", result(r));
			if (r == LINE_OK && len > 100)
				printf(" %zu octets", len);
			else if (r == LINE_OK) {
				putchar(' ');
				unit_show(line, len);
				if (line[len] != '\0')
					printf(" NO NUL");
			}
			putchar('\n');
		}
		fflush(stdout);
		if (answer && r == LINE_OK)
			buf_printf(&c.out, "re %s\r\n", line);
		if (i++ == 0 && skip)
			printf("skipped %s\n", result(pace_skip(&c, skip)));
	} while ((n < 0 || i < n) && r != LINE_EOF && r != LINE_TIMEOUT && r != LINE_ERROR);
	if (count) {
		printf("held %zu\n", c.out.len);
		show_sent(sv[1]);
	}
	if (rest)
		show_rest();
	lineio_close(&c);
	return 0;
}
