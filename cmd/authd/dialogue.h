/* ISC licence, see LICENSE. */
#ifndef DIALOGUE_H
#define DIALOGUE_H

#include <stdbool.h>

#include "auth/sasl.h"
#include "stage/run.h"

/* What main tells the dialogue. It does not change while calls are served, but between them at SIGHUP. */
struct authd {
	const char *store;   /* the path of db; NULL: none */
	struct userdb *db;
	const char *certs_path; /* the path of certs; NULL: none */
	struct table *certs;
	struct sasl_service service;
	const char *trouble; /* why no call can be served; NULL: all is well */
	int trouble_exit;    /* and the exit code then */
	bool clear;          /* AUTH also without TLS */
	int attempts;        /* failed ones that end the session */
	int wait_ms;         /* for a line */
};

/* The dialogue until the client is authenticated or may go on without; struct stage's serve, conf is a struct authd. */
int authd_serve(struct call *call, void *conf);

#endif
