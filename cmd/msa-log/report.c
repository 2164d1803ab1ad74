/* ISC licence, see LICENSE. */
/* The command report: a day in one page. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "command.h"
#include "day.h"
#include "msa/chain.h"
#include "page.h"
#include "show.h"

enum { TOP = 20 }; /* rows of a table */

static int
add_line(const struct logline *l, void *ctx)
{
	return day_add(ctx, l);
}

/* The last row of a table: those that are not in it. */
static void
print_rest(struct page *p, const struct tally *t, const struct tally_entry **list, size_t sums)
{
	int64_t sum[TALLY_SUMS] = { 0 };
	char name[64];
	size_t i, k;

	for (i = TOP; i < t->n; i++)
		for (k = 0; k < sums; k++)
			sum[k] += list[i]->sum[k];
	for (k = 0; k < sums; k++)
		sum[k] += t->others.sum[k];
	snprintf(name, sizeof name, "%s%zu others", t->others.sum[0] ? "at least " : "", t->n > TOP ? t->n - TOP : 1);
	page_name(p, name);
	for (k = 0; k < sums; k++)
		page_number(p, sum[k]);
}

/* A table of names with their sums, those with the largest first sum on top. Nothing if there are none. */
static int
print_sums(struct page *p, const char *title, const struct tally *t, const char *const *names)
{
	const struct tally_entry **list;
	size_t i, k, sums;

	if (t->n == 0)
		return 0;
	list = tally_sorted(t);
	if (!list)
		return -1;
	for (sums = 0; names[sums + 1]; sums++)
		;
	page_table(p, title, names);
	for (i = 0; i < t->n && i < TOP; i++) {
		page_name(p, list[i]->name);
		for (k = 0; k < sums; k++)
			page_number(p, list[i]->sum[k]);
	}
	if (t->n > TOP || t->others.sum[0])
		print_rest(p, t, list, sums);
	page_table_end(p);
	free(list);
	return 0;
}

static void
print_percentiles(struct page *p, const struct histogram *h)
{
	static const double percents[] = { 50, 90, 99 };
	size_t i;

	for (i = 0; i < sizeof percents / sizeof *percents; i++)
		page_number(p, h && h->n ? histogram_percentile(h, percents[i]) : -1);
	page_number(p, h && h->n ? h->most : -1);
}

/* A table of names with their times; hops have their sums too. Nothing if there are none. */
static int
print_times(struct page *p, const char *title, const struct tally *t, const char *const *names, size_t sums)
{
	const struct tally_entry **list;
	size_t i, k;

	if (t->n == 0)
		return 0;
	list = tally_sorted(t);
	if (!list)
		return -1;
	page_table(p, title, names);
	for (i = 0; i < t->n && i < TOP; i++) {
		page_name(p, list[i]->name);
		for (k = 0; k < sums; k++)
			page_number(p, list[i]->sum[k]);
		print_percentiles(p, list[i]->times);
	}
	if (t->n > TOP || t->others.sum[0]) {
		print_rest(p, t, list, sums);
		print_percentiles(p, NULL); /* percentiles have no sum */
	}
	page_table_end(p);
	free(list);
	return 0;
}

static void
print_messages(struct page *p, const struct day *d)
{
	static const char *const names[] = { "", "messages", "recipients", "KiB", NULL };
	static const char *const times[] = { "", "p50", "p90", "p99", "longest", NULL };

	page_table(p, "Messages", names);
	page_name(p, "accepted");
	page_number(p, (int64_t)d->messages);
	page_number(p, d->rcpts);
	page_number(p, (d->octets + 1023) / 1024);
	page_name(p, "accepted for some recipients");
	page_number(p, (int64_t)d->mixed);
	page_number(p, -1);
	page_number(p, -1);
	page_name(p, "refused");
	page_number(p, (int64_t)d->refused);
	page_number(p, -1);
	page_number(p, -1);
	page_table_end(p);
	page_table(p, "From a message's end to its answer, ms", times);
	page_name(p, "messages that the chain has answered");
	print_percentiles(p, &d->times);
	page_table_end(p);
}

static void
print_plots(struct page *p, const struct day *d)
{
	static const char *const both[2] = { "accepted", "refused" }, *const one[2] = { "messages", NULL };
	struct page_bar bar[HISTOGRAM_SIZE];
	size_t i, n = 0, from;
	char title[64];

	for (i = 0; i < DAY_BARS && d->bar_begin; i++) {
		time_t t = (time_t)(d->bar_begin + (int64_t)i * d->bar_s);
		struct tm tm;

		bar[i] = (struct page_bar){ .value = { d->bar[i].accepted, d->bar[i].refused } };
		if (localtime_r(&t, &tm))
			strftime(bar[i].label, sizeof bar[i].label, d->bar_s * DAY_BARS > 86400 * 2 ? "%d %b %H:%M" : "%H:%M", &tm);
		if (bar[i].value[0] + bar[i].value[1] > 0)
			n = i + 1;
	}
	snprintf(title, sizeof title, "Messages, a bar for %lld min", (long long)d->bar_s / 60);
	page_plot(p, title, bar, n, both);
	for (from = 0; from < HISTOGRAM_SIZE && d->times.count[from] == 0; from++)
		;
	for (i = from, n = 0; i < HISTOGRAM_SIZE; i++) {
		bar[i - from] = (struct page_bar){ .value = { d->times.count[i], 0 } };
		snprintf(bar[i - from].label, sizeof bar[i - from].label, "%lld ms", (long long)histogram_limit(i));
		if (d->times.count[i] > 0)
			n = i - from + 1;
	}
	page_plot(p, "From a message's end to its answer, up to so many ms", bar, n, one);
}

/* Sums of one figure as a plot: the names with most. */
static int
plot_sums(struct page *p, const char *title, const struct tally *t, const char *legend)
{
	const char *const one[2] = { legend, NULL };
	const struct tally_entry **list;
	struct page_bar bar[8];
	size_t n;

	if (!p->html)
		return 0;
	list = tally_sorted(t);
	if (!list)
		return -1;
	for (n = 0; n < t->n && n < sizeof bar / sizeof *bar; n++) {
		bar[n] = (struct page_bar){ .value = { (uint64_t)list[n]->sum[0], 0 } };
		snprintf(bar[n].label, sizeof bar[n].label, "%.18s", list[n]->name);
	}
	page_plot(p, title, bar, n, one);
	free(list);
	return 0;
}

/* What the reader must know before any sum. */
static void
print_head(struct page *p, const struct day *d, unsigned long long others)
{
	char text[256];

	snprintf(text, sizeof text, "%llu lines", d->lines);
	page_text(p, text);
	if (others) {
		snprintf(text, sizeof text, "%llu other lines are not of this log, or not understood, and count nowhere.", others);
		page_text(p, text);
	}
	if (d->suppressed) {
		snprintf(text, sizeof text, "%llu lines about strangers were left out by the stages: rejected commands, handshakes"
		    " and refused connections are at least so many.", (unsigned long long)d->suppressed);
		page_text(p, text);
	}
	if (d->cut) {
		snprintf(text, sizeof text, "%llu lines were cut off at 1,000 octets: texts in them may be incomplete.", d->cut);
		page_text(p, text);
	}
	if (d->guessed)
		page_text(p, "Some lines have no time: that of their session or message stands for it.");
}

static int
print(const struct command_conf *conf, const struct day *d, unsigned long long others)
{
	static const char *const users[] = { "user", "sent", "recipients", "octets", "refused", NULL };
	static const char *const hops[] = { "next hop", "tries", "recipients", "accepted", "failures", "p50", "p90", "p99",
		"longest", NULL };
	static const char *const work[] = { "stage", "calls", "p50", "p90", "p99", "longest", NULL };
	static const char *const messages[] = { "answer", "messages", NULL }, *const commands[] = { "answer", "lines", NULL },
	    *const logins[] = { "result", "logins", NULL }, *const guessers[] = { "address", "refused", NULL },
	    *const stages[] = { "stage and reason", "lines", NULL },
	    *const fates[] = { "stage and event", "recipients", NULL },
	    *const tls[] = { "version and suite", "sessions", NULL }, *const lines_of[] = { "reason", "lines", NULL };
	char title[128], from[SHOW_TIME], to[SHOW_TIME];
	struct page p;
	int r;

	show_time(from, d->first_us, 0);
	show_time(to, d->last_us, 0);
	snprintf(title, sizeof title, "Mail submission, %s to %s", from, to);
	page_begin(&p, conf->graphic, title);
	print_head(&p, d, others);
	print_messages(&p, d);
	print_plots(&p, d);
	r = print_sums(&p, "Users", &d->users, users);
	r |= print_sums(&p, "Messages not accepted, or not for all", &d->refusals, messages);
	r |= plot_sums(&p, "Messages not accepted, or not for all", &d->refusals, "messages");
	r |= print_sums(&p, "Stages that refused", &d->stages, stages);
	r |= print_times(&p, "Next hops; times in ms", &d->hops, hops, TALLY_SUMS);
	r |= print_sums(&p, "Recipients, as each stage tells it", &d->fates, fates);
	r |= print_sums(&p, "Logins", &d->logins, logins);
	r |= print_sums(&p, "Addresses whose logins were refused", &d->guessers, guessers);
	r |= print_sums(&p, "Penalties", &d->penalties, lines_of);
	r |= print_sums(&p, "Commands that were rejected", &d->commands, commands);
	r |= print_sums(&p, "TLS", &d->tls, tls);
	r |= plot_sums(&p, "TLS", &d->tls, "sessions");
	r |= print_sums(&p, "TLS handshakes that failed", &d->shakes, lines_of);
	r |= print_times(&p, "Stages; times in ms", &d->work, work, 1);
	r |= print_sums(&p, "Troubles", &d->troubles, stages);
	page_end(&p);
	if (r < 0)
		return command_complain(CHAIN_LATER, "memory:");
	return fflush(stdout) == 0 ? CHAIN_DONE : command_complain(CHAIN_LATER, "standard output:");
}

int
command_report(struct command_conf *conf)
{
	struct day *d = malloc(sizeof *d);
	unsigned long long lines, others;
	struct input in;
	int r;

	if (!d)
		return command_complain(CHAIN_LATER, "memory:");
	day_open(d);
	command_files(conf, conf->word);
	r = command_open(&in, &conf->input);
	if (r == CHAIN_DONE)
		r = command_read(&in, add_line, d);
	input_count(&in, &lines, &others);
	if (input_close(&in) < 0 && r == CHAIN_DONE)
		r = command_complain(CHAIN_LATER, "journalctl has failed");
	if (r == CHAIN_DONE)
		r = print(conf, d, others);
	day_free(d);
	free(d);
	return r;
}
