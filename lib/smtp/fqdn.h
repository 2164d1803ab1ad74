/* ISC licence, see LICENSE. */
#ifndef MSA_SMTP_FQDN_H
#define MSA_SMTP_FQDN_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/table.h"
#include "smtp/addr.h"

/*
 * Which domains are fully qualified (RFC 6409 4.2), as far as can be told without the DNS. Two labels or more are,
 * unless the last one is a key of the site's table of single labels (qualify 8 -t): "host.sales" where "sales" is
 * short for sales.example.net; or, where there is a list of top-level domains, is not on it. An address literal is
 * always.
 */
enum { FQDN_TLDS_MAX = 1048576 }; /* octets of the list; IANA's has 10,000 */

struct fqdn {
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
int fqdn_open(struct fqdn *d, const char **path);
void fqdn_close(struct fqdn *d);

/* 1: the domain of a is fully qualified; 0: it is not. -1: the table is damaged, errno EPROTO. */
int fqdn_is_qualified(struct fqdn *d, const struct addr *a);

#endif
