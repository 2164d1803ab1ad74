/* ISC licence, see LICENSE. */
#include "chain/verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

static enum verdict_end
end_of(const char *s)
{
	static const char *const names[] = { "dot", "exit", "signal", "cut", "late" };
	int i;

	for (i = 0; i < 4 && strncmp(s, names[i], strlen(names[i])) != 0; i++)
		;
	return (enum verdict_end)i;
}

/*
 * Lines "N END TEXT", END one of dot, exitCODE, signal, cut, late, TEXT with escapes:
 * "input => reply|reply (why) client hears CODE". write: the one line is TEXT; writes it to fd 1 as the verdict of one
 * recipient.
 */
int
unit_verdict(int argc, char **argv)
{
	char *s, *raw;
	size_t n, i;

	if (argc > 1 && strcmp(argv[1], "write") == 0) {
		struct verdict v;
		int r;

		s = unit_line(&n, NULL);
		if (verdict_open(&v, 1) < 0)
			return 111;
		verdict_judge(&v, s, n, VERDICT_DOT, 0);
		r = verdict_write(1, &v);
		verdict_free(&v);
		free(s);
		return r < 0;
	}
	while ((s = unit_line(&n, &raw))) {
		char *end, *text;
		size_t count = strtoul(s, &end, 10);
		enum verdict_end e = end_of(++end);
		int status = e == VERDICT_EXIT ? atoi(end + 4) : 0;
		const struct reply_foreign *worst;
		struct verdict v;
		bool mixed;

		text = strchr(end, ' ');
		text = text ? text + 1 : end + strlen(end);
		if (verdict_open(&v, count) < 0)
			return 111;
		verdict_judge(&v, text, n - (size_t)(text - s), e, status);
		printf("%s => ", raw);
		if (v.n != count)
			printf("WRONG COUNT ");
		for (i = 0; i < v.n; i++) {
			printf("%s%d%s%s%s", i ? " | " : "", v.reply[i].code, *v.reply[i].enhanced ? " " : "", v.reply[i].enhanced,
			    *v.reply[i].text ? " " : "");
			unit_show(v.reply[i].text, strlen(v.reply[i].text));
		}
		worst = verdict_reduce(&v, &mixed);
		printf(" (%s) ", v.why ? v.why : "");
		if (worst)
			printf("%d%s\n", worst->code, mixed ? " mixed" : "");
		else
			printf("yes\n");
		verdict_free(&v);
		free(s);
		free(raw);
	}
	return 0;
}
