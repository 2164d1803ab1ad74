/* ISC licence, see LICENSE. */
#include "base/os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

static void
disk(void)
{
	struct stat st;
	int rd, wr;

	if (os_disk_file(&rd, &wr) < 0) {
		printf("%s\n", strerror(errno));
		return;
	}
	fstat(rd, &st);
	printf("links %d mode %03o cloexec %d %d\n", (int)st.st_nlink, (unsigned)st.st_mode & 0777,
	    !!(fcntl(rd, F_GETFD) & FD_CLOEXEC), !!(fcntl(wr, F_GETFD) & FD_CLOEXEC));
	printf("write %s\n", write(wr, "hello", 5) == 5 ? "ok" : strerror(errno));
	printf("write to the reading end: %s\n", write(rd, "x", 1) < 0 ? strerror(errno) : "ok");
	fstat(rd, &st);
	printf("size %lld\n", (long long)st.st_size);
	close(rd);
	close(wr);
}

static void
inherited(void)
{
	int a = dup(0), b = fcntl(0, F_DUPFD_CLOEXEC, 0), c = fcntl(0, F_DUPFD, 40);

	os_close_inherited(3);
	printf("inherited %s %s, ours %s\n", fcntl(a, F_GETFD) < 0 ? "closed" : "open",
	    fcntl(c, F_GETFD) < 0 ? "closed" : "open", fcntl(b, F_GETFD) < 0 ? "closed" : "open");
	os_close_from(3);
	printf("ours %s\n", fcntl(b, F_GETFD) < 0 ? "closed" : "open");
}

/* disk | fds (show the open ones) | copy OFF N (of fd 0 to fd 1) | random | undumpable | inherited | peer */
int
unit_os(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "disk") == 0)
		disk();
	else if (strcmp(what, "inherited") == 0)
		inherited();
	else if (strcmp(what, "fds") == 0) {
		int fd;

		for (fd = 0; fd < 1024; fd++)
			if (fcntl(fd, F_GETFD) >= 0)
				printf("%d%s ", fd, fcntl(fd, F_GETFL) & O_NONBLOCK ? " non-blocking" : "");
		putchar('\n');
	}
	else if (strcmp(what, "copy") == 0 && argc == 4) {
		if (os_copy(1, 0, atol(argv[2]), atol(argv[3])) < 0) {
			printf("%s\n", strerror(errno));
			return 1;
		}
		if (lseek(0, 0, SEEK_CUR) > 0)
			printf("offset moved\n");
	} else if (strcmp(what, "random") == 0) {
		unsigned char a[1000] = { 0 }, b[1000] = { 0 };
		int same = 0, i;

		if (os_random(a, sizeof a) < 0 || os_random(b, sizeof b) < 0)
			return 111;
		for (i = 0; i < 1000; i++)
			same += a[i] == b[i];
		printf("%s\n", same < 50 ? "differ" : "alike");
	} else if (strcmp(what, "undumpable") == 0)
		printf("%d ", os_undumpable()), printf("%d\n", prctl(PR_GET_DUMPABLE));
	else if (strcmp(what, "peer") == 0) {
		int sv[2];
		uid_t uid;

		if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) < 0 || os_peer_uid(sv[0], &uid) < 0)
			return 111;
		printf("%s, ", uid == getuid() ? "we" : "somebody else");
		printf("of a file: %s\n", os_peer_uid(open("/dev/null", O_RDONLY), &uid) < 0 ? "error" : "a uid");
	} else
		return 100;
	return 0;
}
