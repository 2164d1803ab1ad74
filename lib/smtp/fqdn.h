/* ISC licence, see LICENSE. */
#ifndef MSA_SMTP_FQDN_H
#define MSA_SMTP_FQDN_H

#include <stdbool.h>

#include "base/table.h"
#include "msa/buf.h"
#include "smtp/addr.h"

/*
 * Fully qualified domains (RFC 6409 4.2), judged without the DNS. An address literal is fully qualified. A domain is if
 * it has two labels or more, and its last label is
 * - not a key of the site's table of single labels (qualify(8) -t): "host.sales" is not, if "sales" is short for
 *   sales.example.net; and
 * - on the list of top-level domains, if there is a list.
 */
enum { FQDN_TLDS_MAX = 1048576 }; /* octets of the list; IANA's has 10,000 */

struct fqdn {
	const char *labels_path, *tlds_path; /* borrowed; NULL: no such file */
	bool open;            /* fqdn_open has set the following members */
	struct table labels;
	struct buf tlds;      /* in lower case, an LF before each and after the last */
};

/*
 * Read the files: the table is a cdb; the list is like IANA's tlds-alpha-by-domain.txt, an A-label on each line, "#"
 * before a comment. Returns 0, or -1 with errno set (EPROTO: not such a file; EFBIG) and *path set to the file that
 * cannot be used; then d is unchanged.
 */
int fqdn_open(struct fqdn *d, const char **path);
void fqdn_close(struct fqdn *d);

/* Returns 1: the domain of a is fully qualified, 0: it is not, or -1 with errno set (EPROTO: damaged table; ENOMEM). */
int fqdn_is_qualified(struct fqdn *d, const struct addr *a);

/* Returns true if key[0..n) of the table of single labels is none that is looked for: a label in lower case. */
bool fqdn_is_bad_label(const char *key, size_t n);

#endif
