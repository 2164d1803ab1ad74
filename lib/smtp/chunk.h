/* ISC licence, see LICENSE. */
#ifndef MSA_SMTP_CHUNK_H
#define MSA_SMTP_CHUNK_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The chunk that a BDAT command announces (RFC 3030 2). Its octets follow the command's CRLF at once, before any reply,
 * so every stage that reads commands must skip them even where it refuses BDAT: they may not be read as commands. After
 * a BDAT whose length cannot be read the connection must end (REPLY_CHUNK_LENGTH).
 */
struct chunk {
	long long size; /* octets, below 10^18 */
	bool last;
};

/* Parse BDAT's argument, "n" or "n LAST" (in any case). Returns 0, or -1: not that, or n has more than 18 digits. */
int chunk_parse(struct chunk *c, const char *arg, size_t len);

/* Returns how many of the next n octets belong to the chunk, of which *left are still to come, and subtracts them. */
size_t chunk_take(long long *left, size_t n);

#endif
