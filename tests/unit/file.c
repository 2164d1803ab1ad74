/* ISC licence, see LICENSE. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "unit.h"

static void
nothing(int signal_number)
{
	(void)signal_number;
}

/* Let a signal interrupt this process every millisecond. */
static void
interrupt_always(void)
{
	struct sigaction act = { .sa_handler = nothing };
	struct itimerval each = { { 0, 1000 }, { 0, 1000 } };

	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &each, NULL);
}

/* n octets that show their offset: lines of 16. */
static char *
numbered(size_t n)
{
	char *p = malloc(n + 17);
	size_t at;

	for (at = 0; at < n; at += 16)
		snprintf(p + at, 17, "%015u\n", (unsigned)(at % 1000000000));
	return p;
}

static int
done(int r)
{
	printf("%s\n", r < 0 ? strerror(errno) : "ok");
	return r < 0;
}

/*
 * On fd 0 and fd 1:
 * write N: write N octets to fd 1 while signals come; the result goes to fd 2.
 * writeat FILE OFF TEXT: write into a file and show its offset. read OFF N: read from fd 0. size: the size of fd 0.
 * slurp MAX [TEXT]: append fd 0 to TEXT, and show the length then.
 * secret FILE, trusted FILE, directory DIR [alone]: open it, or show why not.
 */
int
unit_file(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	struct buf b = { 0 };
	const char *reason;
	int r = 100, fd;

	if (strcmp(what, "write") == 0 && argc == 3) {
		size_t n = (size_t)atol(argv[2]);
		char *p = numbered(n);

		interrupt_always();
		r = file_write(1, p, n);
		fprintf(stderr, "%s\n", r < 0 ? strerror(errno) : "ok");
		free(p);
	} else if (strcmp(what, "writeat") == 0 && argc == 5) {
		fd = open(argv[2], O_RDWR | O_CREAT, 0600);
		r = done(file_write_at(fd, argv[4], strlen(argv[4]), atol(argv[3])));
		printf("offset %ld\n", (long)lseek(fd, 0, SEEK_CUR));
		close(fd);
	} else if (strcmp(what, "read") == 0 && argc == 4) {
		size_t n = (size_t)atol(argv[3]);
		char *p = malloc(n + 1);

		r = file_read(0, p, n, atol(argv[2]));
		if (r == 0) {
			unit_show(p, n);
			putchar('\n');
		} else
			r = done(r);
		if (lseek(0, 0, SEEK_CUR) > 0)
			printf("offset moved\n");
		free(p);
	} else if (strcmp(what, "secret") == 0 && argc == 3) {
		fd = file_open_secret(argv[2], &reason);
		r = printf("%s\n", fd < 0 ? reason : "open") < 0;
	} else if (strcmp(what, "trusted") == 0 && argc == 3) {
		fd = file_open_trusted(argv[2], &reason);
		r = printf("%s\n", fd < 0 ? reason : "open") < 0;
	} else if (strcmp(what, "directory") == 0 && argc >= 3) {
		fd = file_open_directory(argv[2], argc > 3, &reason);
		r = printf("%s\n", fd < 0 ? reason : "open") < 0;
	} else if (strcmp(what, "size") == 0) {
		off_t size = file_size(0);

		r = size < 0 ? done(-1) : printf("%lld\n", (long long)size) < 0;
	} else if (strcmp(what, "slurp") == 0 && argc >= 3) {
		if (argc > 3)
			buf_puts(&b, argv[3]);
		r = done(file_slurp(0, (size_t)atol(argv[2]), &b));
		printf("%zu ", b.len);
		unit_show(b.p, b.len < 60 ? b.len : 0);
		putchar('\n');
	}
	buf_free(&b);
	return r;
}
