/* ISC licence, see LICENSE. */
#ifndef MSA_LOG_SEQUENCE_H
#define MSA_LOG_SEQUENCE_H

#include "story.h"

/*
 * Draw a story as a sequence: a column for the client, for each stage and each next hop, and a row for each line of the
 * log, with an arrow where the line speaks of two of them. id: only that message, or NULL.
 */
void sequence_text(const struct story *s, const char *id);
void sequence_svg(const struct story *s, const char *id);

#endif
