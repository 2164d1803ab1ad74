/* ISC licence, see LICENSE. */
#define _GNU_SOURCE /* memfd_create */
#include "smtp/fqdn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

/* The input up to a NUL is a list of top-level domains; after the NUL comes an address. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data, *nul = size > 0 ? memchr(s, '\0', size) : NULL, *path;
	size_t list = nul ? (size_t)(nul - s) : size;
	char name[64];
	int fd = memfd_create("list", 0);
	struct fqdn d = { .tlds_path = name };
	struct addr a;

	MUST(fd >= 0 && write(fd, s, list) == (ssize_t)list);
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	if (fqdn_open(&d, &path) < 0)
		MUST(errno == EPROTO && path == name && !d.open);
	else
		MUST(d.tlds.len > 2 && d.tlds.p[0] == '\n' && d.tlds.p[d.tlds.len - 1] == '\n');
	if (nul && addr_mailbox(nul + 1, size - list - 1, &a) == 0) {
		int r = fqdn_is_qualified(&d, &a);

		MUST(r == 0 || r == 1);
		MUST(r == 0 || addr_is_qualified(&a));
	}
	fqdn_close(&d);
	close(fd);
	return 0;
}
