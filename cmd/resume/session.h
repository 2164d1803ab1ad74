/* ISC licence, see LICENSE. */
#ifndef SESSION_H
#define SESSION_H

#include "stage/run.h"

/* The session of resume: a foreign server that has not heard the client's greeting, and the pump between the two. */
struct resume {
	int wait_ms; /* for its greeting, and for its reply to the client's */
};

/* The stage's serve; conf is a struct resume. */
int resume_serve(struct call *call, void *conf);

#endif
