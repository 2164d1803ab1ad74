/* ISC licence, see LICENSE. */
#ifndef MSA_EXPLAIN_SCRIPT_H
#define MSA_EXPLAIN_SCRIPT_H

#include "msa/buf.h"

/*
 * A chain is often the only command of a shell script: "exec stamp lmtp-inject /run/lmtp". Read such a script: one
 * command of plain or quoted words, which may go on behind a backslash at the end of a line, and comments. text, which
 * must be empty, owns the words afterwards.
 * Returns the words up to NULL, which the caller frees; or NULL: there is no memory, or this is not such a script.
 */
char **script_words(const char *path, struct buf *text);

#endif
