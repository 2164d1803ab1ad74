/* ISC licence, see LICENSE. */
#include "net/lineio.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"

/*
 * What a peer sends, in pieces: first octet: exact or not, and the limit; then a length and as many octets. No line
 * that is given out has a CR, LF or NUL, or is over the limit; nothing is waited for.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct lineio c; /* large; lineio_open makes it new */
	enum line_result r;
	size_t max, len, i = 1;
	char *line;
	int sv[2];

	if (size < 2 || socketpair(AF_UNIX, SOCK_STREAM, 0, sv) < 0)
		return 0;
	lineio_open(&c, sv[0], sv[0]);
	c.exact = data[0] & 1;
	max = 2 + data[0] / 2;
	while (i < size) {
		size_t n = data[i++];

		if (n > size - i)
			n = size - i;
		if (n > 0 && write(sv[1], data + i, n) != (ssize_t)n)
			break;
		i += n;
		while ((r = lineio_line(&c, max, 0, &line, &len)) != LINE_TIMEOUT && r != LINE_EOF) {
			MUST(r != LINE_ERROR);
			if (r == LINE_OK)
				MUST(len + 2 <= max && strlen(line) == len && !strpbrk(line, "\r\n"));
			MUST(c.pos <= c.len && c.len <= sizeof c.in_buf);
			MUST(!c.exact || c.pos == c.len || r == LINE_BAD);
		}
	}
	lineio_close(&c);
	close(sv[0]);
	close(sv[1]);
	return 0;
}
