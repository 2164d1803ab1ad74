/* ISC licence, see LICENSE. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* What libFuzzer calls, over and over: each tests/fuzz/NAME.c has one. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold of every result. */
#define MUST(condition) \
	do { \
		if (!(condition)) \
			abort(); \
	} while (0)

#endif
