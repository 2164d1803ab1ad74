/* ISC licence, see LICENSE. */
#include "keybox.h"

#include <stdint.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/file.h"

enum {
	BLOCK = 16384,  /* octets that are read at once */
	UID_MAX = 2048, /* octets of a user id; gpg has the same limit */
	/* A keybox is a row of blobs. Each has its length, its type, and as its last octets the SHA-1 of all before: */
	BLOB_MIN = 5, BLOB_TYPE = 4, BLOB_VERSION = 5, BLOB_MAGIC = 8, BLOB_HEAD = 12, BLOB_SUM = 20,
	BLOB_KEYS = 16, BLOB_KEY_HEAD = 20, /* number and size of what follows about each key: first its fingerprint */
	BLOB_IS_DELETED = 0, BLOB_IS_HEADER = 1, BLOB_IS_KEY = 2, BLOB_IS_X509 = 3, /* types */
};

static bool
is_header(const unsigned char *head, off_t len)
{
	return len >= BLOB_HEAD && head[BLOB_TYPE] == BLOB_IS_HEADER && memcmp(head + BLOB_MAGIC, "KBXf", 4) == 0;
}

/* Add the octets of a file from off to end to a digest. Returns 0, or -1. */
static int
digest_file(EVP_MD_CTX *md, int fd, off_t off, off_t end)
{
	char part[BLOCK];
	size_t n;

	for (; off < end; off += (off_t)n) {
		n = end - off < BLOCK ? (size_t)(end - off) : BLOCK;
		if (file_read(fd, part, n, off) < 0 || EVP_DigestUpdate(md, part, n) != 1)
			return -1;
	}
	return 0;
}

/* Returns true if a blob has the octets that gpg has written. */
static bool
is_intact(EVP_MD_CTX *md, int fd, off_t off, off_t len)
{
	unsigned char sum[EVP_MAX_MD_SIZE], want[BLOB_SUM];
	unsigned int n;

	return len > BLOB_SUM && md && EVP_DigestInit_ex(md, EVP_sha1(), NULL) == 1 &&
	    digest_file(md, fd, off, off + len - BLOB_SUM) == 0 && EVP_DigestFinal_ex(md, sum, &n) == 1 && n == BLOB_SUM &&
	    file_read(fd, (char *)want, BLOB_SUM, off + len - BLOB_SUM) == 0 && memcmp(sum, want, BLOB_SUM) == 0;
}

static uint32_t
number_at(const unsigned char *p, size_t octets)
{
	uint32_t n = 0;

	while (octets-- > 0)
		n = n << 8 | *p++;
	return n;
}

/* A keybox that is being read. */
struct reading {
	int fd;
	EVP_MD_CTX *md;
	keybox_wanted *is_wanted;
	const void *arg;
};

/* Read octets of a blob. Returns false if they are not in it. */
static bool
read_blob(const struct reading *b, off_t off, off_t len, off_t at, void *to, size_t n)
{
	return at + (off_t)n <= len && file_read(b->fd, to, n, off + at) == 0;
}

/* Look at the user ids of a key, whose table is at. Returns 1 if one is wanted, 0 if none is, or -1: it is damaged. */
static int
look_at_uids(const struct reading *b, off_t off, off_t len, off_t at)
{
	unsigned char head[4], entry[8];
	char uid[UID_MAX + 1];
	size_t uids, size, i;
	int wanted = 0;

	if (!read_blob(b, off, len, at, head, sizeof head))
		return -1;
	uids = number_at(head, 2);
	size = number_at(head + 2, 2);
	for (i = 0; i < uids && !wanted; i++) {
		size_t n;

		if (!read_blob(b, off, len, at + (off_t)(sizeof head + i * size), entry, sizeof entry))
			return -1;
		n = number_at(entry + 4, 4);
		if (n > UID_MAX)
			continue; /* gpg has no such user id */
		if (!read_blob(b, off, len, number_at(entry, 4), uid, n))
			return -1;
		uid[n] = '\0';
		wanted = b->is_wanted(b->arg, uid);
	}
	return wanted;
}

/* Take the key of a blob, if it is wanted. Returns 0, or -1: the blob is damaged, or there is no memory. */
static int
take_blob(struct keybox *k, const struct reading *b, off_t off, off_t len)
{
	unsigned char head[BLOB_KEY_HEAD + 32], serial[2];
	size_t i, n;
	off_t at;
	int r;

	if (!is_intact(b->md, b->fd, off, len) || !read_blob(b, off, len, 0, head, sizeof head))
		return -1;
	k->keys++;
	at = BLOB_KEY_HEAD + (off_t)(number_at(head + BLOB_KEYS, 2) * number_at(head + BLOB_KEYS + 2, 2));
	if (!read_blob(b, off, len, at, serial, sizeof serial))
		return -1;
	r = look_at_uids(b, off, len, at + (off_t)(sizeof serial + number_at(serial, 2)));
	if (r <= 0)
		return r;
	n = head[BLOB_VERSION] == 2 ? 32 : 20; /* octets of a fingerprint */
	for (i = 0; i < n; i++)
		if (buf_printf(&k->found, "%02X", head[BLOB_KEY_HEAD + i]) < 0)
			return -1;
	k->nfound++;
	return buf_puts(&k->found, "\n");
}

/* Read the blobs. Returns as keybox_read. */
static bool
read_blobs(struct keybox *k, const struct reading *b, off_t size)
{
	unsigned char head[BLOB_HEAD];
	off_t off, len;

	for (off = 0; off < size; off += len) {
		size_t n = size - off < BLOB_HEAD ? (size_t)(size - off) : BLOB_HEAD;

		if (n < BLOB_MIN || file_read(b->fd, (char *)head, n, off) < 0)
			return false;
		len = number_at(head, 4);
		if (len < BLOB_MIN || len > size - off || (off == 0 && !is_header(head, len)))
			return false;
		switch (head[BLOB_TYPE]) {
		case BLOB_IS_KEY:
			if (take_blob(k, b, off, len) < 0)
				return false;
			break;
		case BLOB_IS_DELETED:
		case BLOB_IS_HEADER:
		case BLOB_IS_X509:
			break;
		default:
			return false;
		}
	}
	return size > 0;
}

bool
keybox_read(struct keybox *k, int fd, off_t size, keybox_wanted *is_wanted, const void *arg)
{
	struct reading b = { .fd = fd, .md = EVP_MD_CTX_new(), .is_wanted = is_wanted, .arg = arg };
	bool good = read_blobs(k, &b, size);

	EVP_MD_CTX_free(b.md);
	return good;
}

void
keybox_free(struct keybox *k)
{
	buf_free(&k->found);
}
