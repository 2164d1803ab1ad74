/* ISC licence, see LICENSE. */
#ifndef MSA_TLSD_AUTHORITY_H
#define MSA_TLSD_AUTHORITY_H

#include <stdbool.h>
#include <stddef.h>

struct x509_store_st;

/*
 * The authorities that sign clients' certificates, where a certificate that is not good counts as none: libtls can only
 * fail the handshake or verify nothing. Starts as zeroes.
 */
struct authority {
	bool judges;                 /* false: libtls has verified each certificate */
	struct x509_store_st *store; /* owned; NULL: nobody is vouched for */
};

/* Read the certificates in a PEM file in place of those that a has. Returns 0, or -1: none there, or no memory. */
int authority_read(struct authority *a, const char *path);

/*
 * Judge a client that has proved to have the key of the first certificate in chain, PEM. Returns NULL if the
 * certificate is good, or why it is not: a constant text.
 */
const char *authority_refuses(const struct authority *a, const void *chain, size_t n);

void authority_free(struct authority *a);

#endif
