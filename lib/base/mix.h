/* ISC licence, see LICENSE. */
#ifndef MSA_BASE_MIX_H
#define MSA_BASE_MIX_H

#include <stdint.h>

/* Spread the bits of x over all bits of the result, for the place of a key in a table. A secret belongs into x. */
static inline uint64_t
mix(uint64_t x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93u;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93u;
	return x ^ x >> 32;
}

#endif
