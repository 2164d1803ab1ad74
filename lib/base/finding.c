/* ISC licence, see LICENSE. */
#include "base/finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char finding_mark[] = "ucspi-msa: msa-check may ask this program, in the form 1";

bool
finding_asked(struct finding *f, const char *name, int *argc, char **argv[])
{
	*f = (struct finding){ .name = name };
	if (*argc < 3 || strcmp((*argv)[1], "--check") != 0)
		return false;
	f->network = strchr((*argv)[2], 'n') != NULL;
	f->options = strchr((*argv)[2], 'o') != NULL;
	(*argv)[2] = (*argv)[0];
	*argv += 2;
	*argc -= 2;
	setvbuf(stdout, NULL, _IOLBF, 0); /* a child of ours must not write records a second time */
	puts(finding_mark);
	return true;
}

/* Write a field. A tab or another control character would begin another one. */
static void
put(const char *s)
{
	putchar('\t');
	for (; *s; s++)
		putchar((unsigned char)*s < ' ' || *s == 127 ? '?' : *s);
}

static void __attribute__((format(printf, 5, 0)))
report(const struct finding *f, const char *kind, const char *word, const char *cure, const char *fmt, va_list ap)
{
	char what[1024];

	vsnprintf(what, sizeof what, fmt, ap);
	fputs(kind, stdout);
	put(f->name);
	put(word);
	put(what);
	put(cure ? cure : "");
	putchar('\n');
}

void
finding_error(const struct finding *f, const char *word, const char *cure, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(f, "error", word, cure, fmt, ap);
	va_end(ap);
}

void
finding_warning(const struct finding *f, const char *word, const char *cure, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(f, "warning", word, cure, fmt, ap);
	va_end(ap);
}

void
finding_calls(const char *path, const char *why)
{
	fputs("calls", stdout);
	put(path);
	put(why ? why : "");
	putchar('\n');
}

void
finding_option(int letter, const char *value)
{
	printf("option\t%c", letter);
	put(value ? value : "");
	putchar('\n');
}

void
finding_fact(const char *key, const char *value)
{
	fputs(key, stdout);
	put(value);
	putchar('\n');
}

void
finding_number(const char *key, long long value)
{
	printf("%s\t%lld\n", key, value);
}

void
finding_stage(const char *name, const char *kind)
{
	fputs("stage", stdout);
	put(name);
	put(kind);
	putchar('\n');
}

void
finding_chain(const char *label, char *const words[])
{
	finding_fact("chain", label);
	for (; *words; words++)
		finding_fact("word", *words);
}
