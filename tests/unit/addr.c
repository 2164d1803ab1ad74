/* ISC licence, see LICENSE. */
#include "smtp/addr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

static void
show_addr(const struct addr *a)
{
	unit_show(a->text, a->len);
	printf("%s%s%s%s%s", a->has_domain ? " domain=" : "", addr_domain(a), a->is_literal ? " literal" : "",
	    a->is_utf8 ? " utf8" : "", addr_is_qualified(a) ? " qualified" : "");
	if (addr_is_postmaster(a))
		printf(" postmaster");
	if (a->len != strlen(a->text) || (a->has_domain && a->text[a->local_len] != '@'))
		printf(" INCONSISTENT");
}

/* path | mailbox | domain | utf8: a line "input => result" for each line "input". */
int
unit_addr(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "path";
	char *s, *raw;
	size_t n, used;

	while ((s = unit_line(&n, &raw))) {
		struct addr a;

		printf("%s => ", raw);
		if (strcmp(what, "domain") == 0)
			printf("%s", addr_is_domain(s, n) ? "yes" : "no");
		else if (strcmp(what, "utf8") == 0)
			printf("%s", addr_is_utf8(s, n) ? "yes" : "no");
		else if (strcmp(what, "mailbox") == 0) {
			if (addr_mailbox(s, n, &a) < 0)
				printf("none");
			else
				show_addr(&a);
		} else if (addr_path(s, n, &a, &used) < 0)
			printf("none");
		else {
			printf("<");
			show_addr(&a);
			printf("> rest=");
			unit_show(s + used, n - used);
		}
		putchar('\n');
		free(s);
		free(raw);
	}
	return 0;
}
