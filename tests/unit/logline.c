/* ISC licence, see LICENSE. */
#include "base/logline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/logwrap.h"
#include "unit.h"

enum { NOW = 1796006001 }; /* Mon Nov 30 02:33:21 UTC 2026 */

static void
show(const char *name, const struct logline_text *t)
{
	printf("%s[%.*s]", name, (int)t->n, t->p);
}

static void
show_line(const struct logline *l)
{
	size_t i;

	if (l->us < 0)
		fputs("-", stdout);
	else
		printf("%lld.%06d%s", (long long)(l->us / 1000000), (int)(l->us % 1000000), l->guessed ? "?" : "");
	show(" ", &l->stage);
	show("", &l->session);
	if (l->message.n)
		show("", &l->message);
	show("", &l->event);
	for (i = 0; i < l->n; i++) {
		printf(" %.*s", (int)l->field[i].key.n, l->field[i].key.p);
		show(l->field[i].quoted ? "q" : "", &l->field[i].value);
	}
	puts(l->cut ? " cut" : "");
}

/*
 * For each line, its time and parts, or "other". With "learn", the lines are the beginning of one log. Each line is in
 * memory of its size, without a NUL behind it.
 */
int
unit_logline(int argc, char **argv)
{
	char *s, *raw, *exact;
	struct logwrap w;
	struct logline l;
	size_t n;

	logwrap_open(&w, NOW);
	while ((s = unit_line(&n, &raw))) {
		exact = malloc(n + 1);
		memcpy(exact, s, n);
		exact[n] = '\n';
		if (argc > 1 && strcmp(argv[1], "learn") == 0)
			logwrap_learn(&w, exact, n + 1);
		exact = realloc(exact, n ? n : 1);
		printf("%s => ", raw);
		if (logwrap_parse(&w, &l, exact, n))
			show_line(&l);
		else
			puts("other");
		free(exact);
		free(s);
		free(raw);
	}
	return 0;
}

/* For each line, the second that it means. */
int
unit_logtime(int argc, char **argv)
{
	char *s, *raw;
	int64_t t;
	size_t n;

	(void)argc;
	(void)argv;
	while ((s = unit_line(&n, &raw))) {
		printf("%s => ", raw);
		if (logwrap_time(s, NOW, &t) == 0)
			printf("%lld\n", (long long)t);
		else
			puts("EINVAL");
		free(s);
		free(raw);
	}
	return 0;
}
