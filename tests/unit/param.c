/* ISC licence, see LICENSE. */
#include "smtp/param.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

/* "input => ok", or "bad": each line is a value of ORCPT. */
static int
values(void)
{
	char *s, *raw;
	size_t n;

	while ((s = unit_line(&n, &raw))) {
		printf("%s => %s\n", raw, param_check(PARAM_ORCPT, s, n) == 0 ? "ok" : "bad");
		free(s);
		free(raw);
	}
	return 0;
}

/* orcpt: as values. mail | rcpt: "input => KEYWORD:ok KEYWORD:bad ..." for each line of parameters. */
int
unit_param(int argc, char **argv)
{
	int of = argc > 1 && strcmp(argv[1], "rcpt") == 0 ? PARAM_OF_RCPT : PARAM_OF_MAIL, r;
	char *s, *raw;
	size_t n, keylen, valuelen;

	if (argc > 1 && strcmp(argv[1], "orcpt") == 0)
		return values();
	while ((s = unit_line(&n, &raw))) {
		const char *p = s, *key, *value;

		printf("%s =>", raw);
		while ((r = param_next(&p, s + n, &key, &keylen, &value, &valuelen)) > 0) {
			enum param q = param_find(key, keylen, of);

			if (q == PARAM_UNKNOWN)
				printf(" unknown(%.*s)", (int)keylen, key);
			else
				printf(" %s:%s", param_keyword(q), param_check(q, value, valuelen) == 0 ? "ok" : "bad");
		}
		printf("%s\n", r < 0 ? " syntax" : "");
		free(s);
		free(raw);
	}
	return 0;
}
