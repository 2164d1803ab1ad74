/* ISC licence, see LICENSE. */
#ifndef SESSION_H
#define SESSION_H

#include "stage/run.h"

/* A session of resume: repeat the client's greeting to a foreign server, then move octets between the two. */
struct resume {
	int wait_ms; /* for the server's greeting, and for its reply to the client's */
};

/* The stage's serve; conf is a struct resume. */
int resume_serve(struct call *call, void *conf);

#endif
