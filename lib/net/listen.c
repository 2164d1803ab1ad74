/* ISC licence, see LICENSE. */
#include "net/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/number.h"

enum { SYSTEMD_FIRST_FD = 3 };

/* Parse "address:port" into ss. Returns 0, or -1: not of this form. */
static int
parse(const char *address, struct sockaddr_storage *ss, socklen_t *len)
{
	struct sockaddr_in *in4 = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;
	const char *colon = strrchr(address, ':');
	char ip[INET6_ADDRSTRLEN];
	long long port;
	size_t n;

	memset(ss, 0, sizeof *ss);
	if (!colon || number_parse(colon + 1, 0, 65535, &port) < 0)
		return -1;
	n = (size_t)(colon - address);
	if (n == 0 || n >= sizeof ip)
		return -1;
	memcpy(ip, address, n);
	ip[n] = '\0';
	if (ip[0] == '[' && ip[n - 1] == ']') {
		ip[n - 1] = '\0';
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		*len = sizeof *in6;
		return inet_pton(AF_INET6, ip + 1, &in6->sin6_addr) == 1 ? 0 : -1;
	}
	in4->sin_family = AF_INET;
	in4->sin_port = htons((uint16_t)port);
	*len = sizeof *in4;
	return strcmp(ip, "0") == 0 || inet_pton(AF_INET, ip, &in4->sin_addr) == 1 ? 0 : -1;
}

bool
listener_is_address(const char *address)
{
	struct sockaddr_storage ss;
	socklen_t len;

	return parse(address, &ss, &len) == 0;
}

int
listener_open(const char *address)
{
	const int on = 1, off = 0;
	struct sockaddr_storage ss;
	socklen_t len;
	int fd, e;

	if (parse(address, &ss, &len) < 0) {
		errno = EINVAL;
		return -1;
	}
	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (ss.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	if (bind(fd, (struct sockaddr *)&ss, len) == 0 && listen(fd, SOMAXCONN) == 0)
		return fd;
	e = errno;
	close(fd);
	errno = e;
	return -1;
}

int
listener_given(void)
{
	const char *fds = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
	long long n;
	int fd = STDIN_FILENO;

	if (fds && pid && number_parse(fds, 1, INT_MAX, &n) == 0 && number_parse(pid, getpid(), getpid(), &n) == 0)
		fd = SYSTEMD_FIRST_FD;
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDNAMES");
	return fd;
}
