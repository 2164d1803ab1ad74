/* ISC licence, see LICENSE. */
#include "scripted.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

void
die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

void
add(struct buf *b, const void *data, size_t n)
{
	if (buf_add(b, data, n) < 0)
		die("out of memory");
}

static int
hex(char c)
{
	return !isxdigit((unsigned char)c) ? -1 : c <= '9' ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

void
add_octets(struct buf *b, const char *text)
{
	static const char names[] = "rnt\\'\"", means[] = "\r\n\t\\'\"";

	while (*text) {
		const char *name = text[0] == '\\' && text[1] ? strchr(names, text[1]) : NULL;
		char c = *text;
		size_t n = 1;

		if (name) {
			c = means[name - names];
			n = 2;
		} else if (strncmp(text, "\\x", 2) == 0 && hex(text[2]) >= 0 && hex(text[3]) >= 0) {
			c = (char)(hex(text[2]) * 16 + hex(text[3]));
			n = 4;
		} else if (text[0] == '\\' && text[1] >= '0' && text[1] <= '7') {
			c = 0;
			for (n = 1; n < 4 && text[n] >= '0' && text[n] <= '7'; n++)
				c = (char)(c * 8 + text[n] - '0');
		}
		add(b, &c, 1);
		text += n;
	}
}

void
add_shown(struct buf *b, const char *data, size_t n)
{
	int quote = memchr(data, '\'', n) && memchr(data, '"', n);

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)data[i];
		const char *name = c ? strchr("\r\n\t\\", c) : NULL;
		char text[8];

		if (name)
			snprintf(text, sizeof text, "\\%c", "rnt\\"[name - "\r\n\t\\"]);
		else if (c == '\'' && quote)
			snprintf(text, sizeof text, "\\'");
		else
			snprintf(text, sizeof text, c < 32 || c > 126 ? "\\x%02x" : "%c", c);
		add(b, text, strlen(text));
	}
}

int
add_all(struct buf *b, int fd)
{
	ssize_t got = -1;

	while (buf_room(b, 65536) == 0 && (got = read(fd, b->p + b->len, 65536)) > 0)
		b->len += (size_t)got;
	return got == 0 ? 0 : -1;
}

int
add_file(struct buf *b, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), result;

	if (fd < 0)
		return -1;
	result = add_all(b, fd);
	close(fd);
	return result;
}

void
append(const char *path, const void *data, size_t n)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);

	if (fd < 0 || send_all(fd, data, n) < 0)
		die("%s: %s", path, strerror(errno));
	close(fd);
}

char *
find(const struct buf *b, size_t offset, const char *text)
{
	size_t n = strlen(text);
	char *p = b->p ? b->p + offset : NULL, *end = p + (b->len > offset ? b->len - offset : 0);

	while (p && (size_t)(end - p) >= n && (p = memchr(p, *text, (size_t)(end - p) - n + 1))) {
		if (memcmp(p, text, n) == 0)
			return p;
		p++;
	}
	return NULL;
}

int
send_all(int fd, const void *data, size_t n)
{
	for (const char *p = data; n > 0;) {
		ssize_t sent = write(fd, p, n);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return -1;
		p += sent;
		n -= (size_t)sent;
	}
	return 0;
}

char *
part(char **rest, char separator)
{
	char *start = *rest, *end = start ? strchr(start, separator) : NULL;

	if (end)
		*end++ = '\0';
	*rest = end;
	return start;
}

int
listen_and_tell(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof in;
	int fd = socket(path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (path)
		snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
	if (fd < 0 || (path ? bind(fd, (struct sockaddr *)&un, sizeof un) : bind(fd, (struct sockaddr *)&in, sizeof in)) < 0 ||
	    listen(fd, 20) < 0 || (!path && getsockname(fd, (struct sockaddr *)&in, &size) < 0))
		die("%s: %s", path ? path : "127.0.0.1", strerror(errno));
	if (path)
		puts(path);
	else
		printf("127.0.0.1:%d\n", ntohs(in.sin_port));
	fflush(stdout);
	return fd;
}

int
next_connection(int listening)
{
	int fd;

	while ((fd = accept(listening, NULL, NULL)) < 0)
		if (errno != EINTR && errno != ECONNABORTED)
			die("accept: %s", strerror(errno));
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd;
}

void
pause_for(double seconds)
{
	struct timespec t = { .tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9) };

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}
