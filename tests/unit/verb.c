/* ISC licence, see LICENSE. */
#include "smtp/verb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/chunk.h"

#include "unit.h"

static void
show_start(const char *s, size_t n)
{
	printf("%s", verb_name(verb_of_start(s, n)));
}

static void
show_chunk(const char *s, size_t n)
{
	struct chunk c;

	if (chunk_parse(&c, s, n) < 0)
		printf("none");
	else
		printf("%lld %s", c.size, c.last ? "last" : "more");
}

static void
show_foreign(const char *s, size_t n)
{
	printf("%s", verb_is_foreign(s, n) ? "foreign" : "ours");
}

/*
 * "input => VERB rule [argument]" for each line; with the argument start "VERB", with chunk "octets more" or last, with
 * foreign "foreign" or "ours".
 */
int
unit_verb(int argc, char **argv)
{
	static const char *const rule[] = { "none", "optional", "required" };
	char *s, *raw, *arg;
	size_t n, arglen;

	while ((s = unit_line(&n, &raw))) {
		printf("%s => ", raw);
		if (argc > 1) {
			(strcmp(argv[1], "start") == 0   ? show_start :
			    strcmp(argv[1], "chunk") == 0 ? show_chunk :
			                                    show_foreign)(s, n);
			putchar('\n');
		} else {
			enum verb v = verb_parse(s, n, &arg, &arglen);

			printf("%s %s [", verb_name(v), rule[verb_arg(v)]);
			unit_show(arg, arglen);
			printf("]%s\n", arg[arglen] != '\0' ? " NO NUL" : "");
		}
		free(s);
		free(raw);
	}
	return 0;
}
