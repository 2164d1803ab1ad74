/* ISC licence, see LICENSE. */
#include "chain/offerfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

/*
 * expand LIST: what becomes of it. name LIST. write FILE KEYWORDS [SECONDS], the keywords as in MSA_EHLO: what it
 * returns, and what is_new says with so many seconds.
 */
int
unit_offerfile(int argc, char **argv)
{
	struct ehlo e = { 0 };
	struct buf out = { 0 };
	const char *why = "";
	char *name;
	int fd, r;

	if (argc < 3)
		return 100;
	if (strcmp(argv[1], "expand") == 0) {
		r = offerfile_expand(&out, argv[2], &why);
		printf("%s%s%s\n", r < 0 ? why : "", r < 0 ? ": " : "", out.p ? out.p : "");
		buf_free(&out);
		return 0;
	}
	if (strcmp(argv[1], "name") == 0) {
		name = offerfile_name(argv[2]);
		printf("%s\n", name ? name : "none");
		free(name);
		return 0;
	}
	fd = offerfile_open(argv[2], &why);
	if (fd < 0) {
		printf("%s\n", why);
		return 0;
	}
	ehlo_take_list(&e, argc > 3 ? argv[3] : "");
	r = offerfile_write(fd, &e);
	if (r < 0)
		printf("%s\n", strerror(errno));
	else
		printf("%d%s\n", r, argc > 4 ? offerfile_is_new(fd, atoi(argv[4])) ? " new" : " old" : "");
	return 0;
}
