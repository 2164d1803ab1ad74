/* ISC licence, see LICENSE. */
#ifndef MSA_LOG_KIND_H
#define MSA_LOG_KIND_H

#include <stdbool.h>

#include "base/logline.h"

/* What a line is about, for whoever counts. */
enum kind {
	KIND_OTHER,
	KIND_MESSAGE,    /* the answer to a message, as the client's stage tells it */
	KIND_LOGIN,      /* an attempt to authenticate */
	KIND_REJECTED,   /* a command that was refused */
	KIND_SESSION,    /* the end of a session, as tlsd tells it */
	KIND_HANDSHAKE,  /* one that failed */
	KIND_PENALTY,
	KIND_SUPPRESSED, /* how many lines were left out */
	KIND_RECIPIENT,  /* what became of one */
	KIND_DELIVERY,   /* an attempt to deliver a message to a next hop */
	KIND_FAILURE,    /* of a next hop */
};

enum kind kind_of(const struct logline *l);

/* Returns true if the text is one of the words, which end with NULL. */
bool kind_is_one_of(const struct logline_text *t, const char *const *words);

/* Returns true if the stage speaks with the client. */
bool kind_is_client_stage(const struct logline_text *stage);

#endif
