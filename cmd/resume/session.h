/* ISC licence, see LICENSE. */
#ifndef SESSION_H
#define SESSION_H

#include <stdbool.h>

#include "net/nexthop.h"
#include "stage/run.h"

/* A session of resume: repeat the client's greeting to a foreign server, then move octets between the two. */
struct resume {
	int wait_ms; /* for the server's greeting, and for its reply to the client's */
	bool over_tcp; /* the server is at hop, and is told by XCLIENT who the client is; otherwise it is the next program */
	bool to_anybody; /* hop need not be this machine */
	struct nexthop hop;
};

/* The stage's serve; conf is a struct resume. */
int resume_serve(struct call *call, void *conf);

#endif
