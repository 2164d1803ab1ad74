/* ISC licence, see LICENSE. */
#include "smtp/verb.h"

#include <stdio.h>
#include <stdlib.h>

#include "unit.h"

/* "input => VERB rule [argument]" for each line. */
int
unit_verb(int argc, char **argv)
{
	static const char *const rule[] = { "none", "optional", "required" };
	char *s, *raw, *arg;
	size_t n, arglen;

	(void)argc;
	(void)argv;
	while ((s = unit_line(&n, &raw))) {
		enum verb v = verb_parse(s, n, &arg, &arglen);

		printf("%s => %s %s [", raw, verb_name(v), rule[verb_arg(v)]);
		unit_show(arg, arglen);
		printf("]%s\n", arg[arglen] != '\0' ? " NO NUL" : "");
		free(s);
		free(raw);
	}
	return 0;
}
