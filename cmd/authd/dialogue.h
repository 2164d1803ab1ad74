/* ISC licence, see LICENSE. */
#ifndef DIALOGUE_H
#define DIALOGUE_H

#include <stdbool.h>

#include "auth/penalty.h"
#include "auth/sasl.h"
#include "net/proxyhdr.h"
#include "stage/run.h"

/* The configuration of the dialogue. It changes at SIGHUP only, between calls. */
struct authd {
	const char *store;   /* the path of db; NULL: no store */
	struct userdb *db;
	const char *certs_path; /* the path of certs; NULL: no table */
	struct table *certs;
	struct table_file refused_store, refused_certs; /* what the paths named when reload failed; db and certs are older */
	struct sasl_service service;
	const char *trouble; /* why no call can be served; NULL: calls can be served */
	int trouble_exit;    /* the exit code if trouble is set */
	const char *locked;  /* the directory of users who were stopped, lockout.h; NULL: none */
	struct penalty penalty; /* the table of clients that guess passwords; without a table nobody is counted */
	bool replaced;       /* the table's file was damaged, and is a new one */
	struct proxyhdr_trust spared; /* addresses that are not counted */
	unsigned waiters;    /* answers that may be delayed at the same time */
	bool clear;          /* offer AUTH without TLS too */
	bool helo;           /* take AUTH after HELO too */
	int attempts;        /* failed attempts after which the session ends */
	int wait_ms;         /* for a line */
};

/* Returns true if the file of the store or of the table is another than the one that is open, or was refused. */
bool authd_changed(const struct authd *a);

/*
 * Hold the dialogue until the client is authenticated, or may go on without that; then become the next stage. The serve
 * function of struct stage; conf is a struct authd.
 */
int authd_serve(struct call *call, void *conf);

#endif
