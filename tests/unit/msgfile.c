/* ISC licence, see LICENSE. */
#include "msa/msgfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

/* May the finished file be changed by opening it once more? */
static void
try_to_change(int fd)
{
	char path[64];
	int again;

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	again = open(path, O_RDWR);
	if (again < 0)
		printf("reopen: %s\n", strerror(errno));
	else {
		printf("rewrite: %s\n", pwrite(again, "X", 1, 0) == 1 ? "done" : strerror(errno));
		printf("append: %s\n", pwrite(again, "X", 1, lseek(again, 0, SEEK_END)) == 1 ? "done" : strerror(errno));
		printf("shorten: %s\n", ftruncate(again, 0) == 0 ? "done" : strerror(errno));
		close(again);
	}
	printf("write: %s\n", write(fd, "X", 1) == 1 ? "done" : strerror(errno));
}

/* How many descriptors are open. */
static int
descriptors(void)
{
	int fd, n = 0;

	for (fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/*
 * Build a message, each argument in turn: add:N (N octets that show their offset), piece:N (N octets in one call),
 * file:N (the first N octets of fd 0), size, finish, change (try to change the finished file), dump.
 * A failure is shown and ends the run; a leaked descriptor is shown.
 */
int
unit_msgfile(int argc, char **argv)
{
	struct msgfile m = { 0 };
	char data[16];
	off_t at = 0;
	int fd = -1, i, r = 0, before = descriptors();

	for (i = 1; i < argc && r == 0; i++) {
		const char *a = argv[i], *arg = strchr(a, ':') ? strchr(a, ':') + 1 : "";
		long n = atol(arg);

		if (strncmp(a, "add:", 4) == 0)
			for (; n > 0 && r == 0; n -= 16, at += 16) {
				snprintf(data, sizeof data, "%014u\n", (unsigned)at);
				data[15] = '\n';
				r = msgfile_add(&m, data, n < 16 ? (size_t)n : 16);
			}
		else if (strncmp(a, "piece:", 6) == 0) {
			char *p = malloc((size_t)n + 1);

			memset(p, 'p', (size_t)n);
			r = msgfile_add(&m, p, (size_t)n);
			free(p);
		} else if (strncmp(a, "file:", 5) == 0)
			r = msgfile_add_file(&m, 0, 0, n);
		else if (strcmp(a, "size") == 0)
			printf("size %lld%s\n", (long long)m.size, m.spilled ? " spilled" : "");
		else if (strcmp(a, "finish") == 0)
			r = fd = msgfile_finish(&m);
		else if (strcmp(a, "change") == 0)
			try_to_change(fd);
		else if (strcmp(a, "dump") == 0) {
			ssize_t got;
			char part[65536];

			fflush(stdout);
			if (lseek(fd, 0, SEEK_CUR) != 0)
				printf("offset is not 0\n");
			while ((got = read(fd, part, sizeof part)) > 0)
				if (write(1, part, (size_t)got) != got)
					return 111;
		}
		if (r > 0)
			r = 0;
	}
	if (r < 0)
		printf("failed: %s\n", strerror(errno));
	if (fd >= 0 && !(fcntl(fd, F_GETFD) & FD_CLOEXEC))
		printf("not close-on-exec\n");
	if (fd >= 0)
		close(fd);
	msgfile_free(&m);
	if (descriptors() != before)
		printf("descriptors leaked\n");
	return r < 0;
}
