/* ISC licence, see LICENSE. */
#include "tlsd/admission.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

enum { NAMES = 1024, WORKERS = 3 };

struct one {
	char name[16];
	struct admission_ticket ticket;
	unsigned worker;
};

struct all {
	struct admission limits;
	struct one one[NAMES];
	size_t n;
	int64_t now;
};

static struct one *
find(struct all *a, const char *name)
{
	size_t i;

	for (i = 0; i < a->n && strcmp(a->one[i].name, name) != 0; i++)
		;
	return i < a->n ? &a->one[i] : NULL;
}

static void
enter(struct all *a, const char *name, const char *address, unsigned worker)
{
	static const char *const results[] = {
		[ADMISSION_OK] = "ok",
		[ADMISSION_OVER_TOTAL] = "over total",
		[ADMISSION_OVER_EARLY] = "over early",
		[ADMISSION_OVER_ADDRESS] = "over address",
		[ADMISSION_OVER_HOST] = "over host",
	};
	struct one *o = &a->one[a->n];
	struct endpoint e = { .port = 1 };
	enum admission_result r;

	*o = (struct one){ .worker = worker };
	snprintf(o->name, sizeof o->name, "%s", name);
	a->limits.worker = worker;
	r = admission_enter(&a->limits, &o->ticket, a->now += 10);
	if (r == ADMISSION_OK) {
		a->n++;
		if (strcmp(address, "-") != 0 && ipaddr_parse(&e.ip, address) == 0)
			r = admission_address(&a->limits, &o->ticket, &e);
		if (r != ADMISSION_OK) {
			admission_leave(&a->limits, &o->ticket);
			a->n--;
		}
	}
	printf("%s", results[r]);
}

/* The names of those that have to go are printed, and they leave. */
static void
go(struct all *a)
{
	const char *space = "";
	unsigned w;
	size_t i;

	for (w = 0; w < WORKERS; w++) {
		a->limits.worker = w;
		if (!admission_has_news(&a->limits))
			continue;
		for (i = 0; i < a->n; i++)
			if (a->one[i].worker == w && admission_is_evicted(&a->limits, &a->one[i].ticket)) {
				printf("%s%s", space, a->one[i].name);
				space = " ";
				admission_leave(&a->limits, &a->one[i].ticket);
				a->one[i--] = a->one[--a->n];
			}
	}
}

static void
lose(struct all *a, unsigned worker)
{
	size_t i;

	admission_lost(&a->limits, worker);
	for (i = 0; i < a->n; i++)
		if (a->one[i].worker == worker)
			a->one[i--] = a->one[--a->n];
}

/*
 * test-unit admission address[:host] net early total: a line each, "enter NAME ADDRESS [WORKER]",
 * "many N NAME ADDRESS", "settle NAME", "leave NAME", "go", "time MS", "lost WORKER"; each is printed with " => " and
 * what came of it.
 * ADDRESS -: not known yet.
 */
int
unit_admission(int argc, char **argv)
{
	static struct all a;
	struct admission_conf conf;
	char *s, *raw, verb[16], x[64], y[64], name[64];
	unsigned n, i;
	struct one *o;
	size_t len;

	if (argc != 5)
		return 100;
	s = strchr(argv[1], ':');
	conf = (struct admission_conf){ .address = (unsigned)atoi(argv[1]), .host = s ? (unsigned)atoi(s + 1) : 0,
		.net = (unsigned)atoi(argv[2]), .early = (unsigned)atoi(argv[3]), .total = (unsigned)atoi(argv[4]) };
	if (admission_open(&a.limits, &conf, WORKERS) < 0)
		return 111;
	a.limits.secret[0] = 1; /* no two addresses of a test share a bucket by chance */
	a.limits.secret[1] = 2;
	while ((s = unit_line(&len, &raw))) {
		*x = *y = '\0';
		n = 0;
		printf("%s => ", raw);
		sscanf(s, "%15s %63s", verb, x);
		o = find(&a, x);
		if (strcmp(verb, "enter") == 0 && sscanf(s, "%*s %*s %63s %u", y, &n) >= 1)
			enter(&a, x, y, n);
		else if (strcmp(verb, "many") == 0 && sscanf(s, "%*s %u %63s %63s", &n, x, y) == 3)
			for (i = 0; i < n; i++) {
				snprintf(name, sizeof name, "%.8s%u", x, i);
				printf("%s", i ? ", " : "");
				enter(&a, name, y, 0);
			}
		else if (strcmp(verb, "settle") == 0 && o) {
			a.limits.worker = o->worker;
			printf("%s", admission_settle(&a.limits, &o->ticket) == 0 ? "ok" : "too late");
		} else if (strcmp(verb, "leave") == 0 && o) {
			a.limits.worker = o->worker;
			admission_leave(&a.limits, &o->ticket);
			*o = a.one[--a.n];
			printf("ok");
		} else if (strcmp(verb, "go") == 0)
			go(&a);
		else if (strcmp(verb, "time") == 0)
			printf("%d", admission_time(&a.limits, atoi(x)));
		else if (strcmp(verb, "lost") == 0)
			lose(&a, (unsigned)atoi(x));
		else
			printf("what?");
		putchar('\n');
		free(s);
		free(raw);
	}
	admission_close(&a.limits);
	return 0;
}
