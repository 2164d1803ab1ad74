/* ISC licence, see LICENSE. */
#ifndef DOMAINS_H
#define DOMAINS_H

#include <stdbool.h>

#include "addr.h"
#include "buf.h"
#include "table.h"

/*
 * Which domains are fully qualified (RFC 6409 4.2), as far as can be told without the DNS. Two labels or more are,
 * unless the last one is a key of the site's table of single labels (qualify 8 -t): "host.sales" where "sales" is
 * short for sales.example.net; or, where there is a list of top-level domains, is not on it. An address literal is
 * always.
 */
enum { DOMAINS_TLDS_MAX = 1048576 }; /* octets of the list; IANA's has 10,000 */

struct domains {
	const char *labels_path, *tlds_path; /* borrowed; NULL: none */
	bool open;            /* what follows was made of the files */
	struct table labels;
	struct buf tlds;      /* in lower case, an LF in front of each and behind the last */
};

/*
 * Read the files at the paths: the table a cdb, the list as IANA's tlds-alpha-by-domain.txt is, a line each, in
 * A-labels, "#" before a comment. All or nothing: at -1 (errno; EPROTO: no such file as it should be) d is as before
 * and *path is the one that cannot be used.
 */
int domains_open(struct domains *d, const char **path);
void domains_close(struct domains *d);

/* 1: the domain of a is fully qualified; 0: it is not. -1: the table is damaged, errno EPROTO. */
int domains_is_qualified(struct domains *d, const struct addr *a);

#endif
