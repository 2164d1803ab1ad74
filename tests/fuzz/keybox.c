/* ISC licence, see LICENSE. */
#include "../../cmd/encrypt/keybox.h"

#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "msa/msgfile.h"

enum { SUM = 20 };

static size_t
length_at(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (size_t)u[0] << 24 | (size_t)u[1] << 16 | (size_t)u[2] << 8 | u[3];
}

/* Nobody finds a checksum by chance: give each blob its own, so that what stands in the blob is read. */
static void
sum_up(char *p, size_t n)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	size_t at, len;

	for (at = 0; n - at >= 5; at += len) {
		len = length_at(p + at);
		if (len < 5 || len > n - at)
			break;
		if (len > SUM && EVP_Digest(p + at, len - SUM, sum, NULL, EVP_sha1(), NULL) == 1)
			memcpy(p + at + len - SUM, sum, SUM);
	}
}

static bool
is_wanted(const void *arg, const char *uid)
{
	size_t n = strlen(uid);

	MUST(n <= 2048);
	return (n & 1) == *(const size_t *)arg;
}

/* What is read has the form that is promised: a fingerprint for each key that was found. */
static void
try(const char *text, size_t n, size_t parity)
{
	struct keybox k = { .keys = 0 };
	size_t found = 0, i;
	int fd = msgfile_of(text, n);
	bool good;

	MUST(fd >= 0);
	good = keybox_read(&k, fd, (off_t)n, is_wanted, &parity);
	for (i = 0; i < k.found.len; i++)
		if (k.found.p[i] == '\n')
			found++;
		else
			MUST(strchr("0123456789ABCDEF", k.found.p[i]));
	MUST(found >= k.nfound && k.nfound <= k.keys && (!good || found == k.nfound));
	keybox_free(&k);
	close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	MUST(text);
	memcpy(text, data, size);
	try(text, size, 0);
	sum_up(text, size);
	try(text, size, 0);
	try(text, size, 1);
	free(text);
	return 0;
}
