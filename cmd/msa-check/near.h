/* ISC licence, see LICENSE. */
#ifndef MSA_CHECK_NEAR_H
#define MSA_CHECK_NEAR_H

#include <stddef.h>

/*
 * Look for the program of ours whose name is most like word: in the directory of the words, and in path. Returns name,
 * which has room for size octets, or NULL: none is so like it that it may have been meant.
 */
const char *near_find(const char *word, const char *path, char *name, size_t size);

#endif
