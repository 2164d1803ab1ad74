/* ISC licence, see LICENSE. */
#include "counters.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kind.h"

enum family {
	LINES, OTHERS, GAPS, LEFT_OUT, MESSAGES, OCTETS, RCPTS, ANSWERS, TIMES, LOGINS, REJECTED, SESSIONS, HANDSHAKES,
	PENALTIES, FATES, TRIES, FAILURES, SUPPRESSED, FAMILIES
};

static const struct {
	const char *name, *help;
	bool is_times;
} families[FAMILIES] = {
	[LINES] = { "msa_log_lines_total", "Lines of the log, by stage and event.", false },
	[OTHERS] = { "msa_log_other_lines_total", "Lines that are not of this log, or not understood.", false },
	[GAPS] = { "msa_log_gaps_total", "Logs that were gone before all of their lines were read.", false },
	[LEFT_OUT] = { "msa_log_series_left_out_total", "Counts for which there was no series left.", false },
	[MESSAGES] = { "msa_messages_total", "Messages that clients sent, by result.", false },
	[OCTETS] = { "msa_message_octets_total", "Octets of the messages accepted for all recipients.", false },
	[RCPTS] = { "msa_message_recipients_total", "Recipients of the messages accepted for all.", false },
	[ANSWERS] = { "msa_message_answers_total", "Answers to messages, by code.", false },
	[TIMES] = { "msa_message_seconds", "From the end of a message to its answer.", true },
	[LOGINS] = { "msa_logins_total", "Attempts to authenticate, by result and mechanism.", false },
	[REJECTED] = { "msa_rejected_commands_total", "Refused commands, the first of a kind in a session.", false },
	[SESSIONS] = { "msa_tls_sessions_total", "Sessions that have ended, by version of TLS.", false },
	[HANDSHAKES] = { "msa_tls_handshakes_failed_total", "TLS handshakes that failed.", false },
	[PENALTIES] = { "msa_penalties_total", "Clients refused for what they did before, by reason.", false },
	[FATES] = { "msa_recipients_total", "What became of recipients, as each stage tells it.", false },
	[TRIES] = { "msa_delivery_seconds", "Attempts to deliver a message, by next hop.", true },
	[FAILURES] = { "msa_delivery_failures_total", "Failures of a next hop, by the step at which it failed.", false },
	[SUPPRESSED] = { "msa_log_suppressed_lines_total", "Lines about strangers that a stage has left out.", false },
};

static const struct {
	int ms;
	const char *le;
} limits[COUNTERS_BUCKETS] = {
	{ 10, "0.01" }, { 25, "0.025" }, { 50, "0.05" }, { 100, "0.1" }, { 250, "0.25" }, { 500, "0.5" }, { 1000, "1" },
	{ 2500, "2.5" }, { 5000, "5" }, { 10000, "10" }, { 30000, "30" }, { 100000, "100" },
};

static size_t
slot_of(int family, const char *labels)
{
	uint64_t h = UINT64_C(14695981039346656037) + (uint64_t)family; /* FNV-1a */

	for (; *labels; labels++)
		h = (h ^ (unsigned char)*labels) * UINT64_C(1099511628211);
	return (size_t)(h >> 32) & (COUNTERS_SLOTS - 1);
}

/* Find a series, or make a new one. Returns NULL with errno set (ENOMEM; 0: there are COUNTERS_MAX already). */
static struct counter *
find(struct counters *c, int family, const char *labels)
{
	struct counter **slot = &c->slot[slot_of(family, labels)], *s;

	for (s = *slot; s; s = s->next)
		if (s->family == family && strcmp(s->labels, labels) == 0)
			return s;
	errno = 0;
	if (c->n == COUNTERS_MAX) {
		c->left_out++;
		return NULL;
	}
	s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->family = family;
	strcpy(s->labels, labels);
	s->next = *slot;
	*slot = s;
	c->n++;
	return s;
}

/* Labels that are being put together. Our texts are graphic ASCII without quotes; a backslash is doubled. */
struct labels {
	char text[COUNTERS_LABELS];
	size_t n;
};

static void
label(struct labels *s, const char *name, const struct logline_text *value)
{
	size_t k = strlen(name), i, begin = s->n;

	if (s->n + k + 4 > sizeof s->text)
		return;
	if (s->n > 0)
		s->text[s->n++] = ',';
	memcpy(s->text + s->n, name, k);
	s->n += k;
	s->text[s->n++] = '=';
	s->text[s->n++] = '"';
	for (i = 0; value && i < value->n; i++) {
		if (s->n + 4 > sizeof s->text) { /* no half of a value */
			s->n = begin;
			break;
		}
		if (value->p[i] == '\\')
			s->text[s->n++] = '\\';
		s->text[s->n++] = value->p[i];
	}
	if (s->n > begin)
		s->text[s->n++] = '"';
	s->text[s->n] = '\0';
}

/* Count value in the series of a family with these labels. Returns 0, or -1 with errno set (ENOMEM). */
static int
count(struct counters *c, int family, const struct labels *s, int64_t value)
{
	struct counter *to;

	if (value <= 0)
		return 0;
	to = find(c, family, s->text);
	if (to)
		to->value += (uint64_t)value;
	return to || errno == 0 ? 0 : -1;
}

/* Count a time. */
static int
count_time(struct counters *c, int family, const struct labels *s, int64_t ms)
{
	struct counter *to;
	size_t i;

	if (ms < 0)
		return 0;
	to = find(c, family, s->text);
	if (!to)
		return errno == 0 ? 0 : -1;
	to->value++;
	to->sum_ms += ms;
	for (i = 0; i < COUNTERS_BUCKETS && ms > limits[i].ms; i++)
		;
	if (i < COUNTERS_BUCKETS)
		to->bucket[i]++;
	return 0;
}

/* Count one in a family with up to two labels; a value that is NULL is empty. */
static int
count_one(struct counters *c, int family, const char *a, const struct logline_text *av, const char *b,
    const struct logline_text *bv)
{
	struct labels s = { .n = 0 };

	if (a)
		label(&s, a, av);
	if (b)
		label(&s, b, bv);
	return count(c, family, &s, 1);
}

static int
add_message(struct counters *c, const struct logline *l)
{
	struct labels none = { .n = 0 };
	int r = count_one(c, MESSAGES, "result", &l->event, NULL, NULL);

	r |= count_one(c, ANSWERS, "code", logline_get(l, "code"), NULL, NULL);
	r |= count_time(c, TIMES, &none, logline_number(l, "ms"));
	if (logline_is(&l->event, "accepted"))
		r |= count(c, OCTETS, &none, logline_number(l, "size")) | count(c, RCPTS, &none, logline_number(l, "rcpts"));
	return r;
}

int
counters_add(struct counters *c, const struct logline *l)
{
	const struct logline_text none = { "none", 4 }, *to = logline_get(l, "to"), *tls = logline_get(l, "tls");
	struct labels s = { .n = 0 };

	if (count_one(c, LINES, "stage", &l->stage, "event", &l->event) < 0)
		return -1;
	switch (kind_of(l)) {
	case KIND_MESSAGE:
		return add_message(c, l);
	case KIND_SUPPRESSED:
		label(&s, "stage", &l->stage);
		return count(c, SUPPRESSED, &s, logline_number(l, "lines"));
	case KIND_REJECTED:
		return count_one(c, REJECTED, "verb", logline_get(l, "verb"), "code", logline_get(l, "code"));
	case KIND_PENALTY:
		return count_one(c, PENALTIES, "reason", logline_get(l, "reason"), NULL, NULL);
	case KIND_HANDSHAKE:
		return count_one(c, HANDSHAKES, NULL, NULL, NULL, NULL);
	case KIND_SESSION:
		return count_one(c, SESSIONS, "version", tls ? tls : &none, NULL, NULL);
	case KIND_LOGIN:
		return count_one(c, LOGINS, "result", &l->event, "mechanism", logline_get(l, "mech"));
	case KIND_RECIPIENT:
		return count_one(c, FATES, "stage", &l->stage, "result", &l->event);
	case KIND_DELIVERY:
		label(&s, "to", to);
		return count_time(c, TRIES, &s, logline_number(l, "ms"));
	case KIND_FAILURE:
		return count_one(c, FAILURES, "to", to, "at", logline_get(l, "at"));
	case KIND_OTHER:
		break;
	}
	return 0;
}

int
counters_add_others(struct counters *c, uint64_t lines)
{
	struct labels none = { .n = 0 };

	return count(c, OTHERS, &none, (int64_t)lines);
}

int
counters_add_gap(struct counters *c)
{
	return count_one(c, GAPS, NULL, NULL, NULL, NULL);
}

static int
compare(const void *a, const void *b)
{
	const struct counter *x = *(const struct counter *const *)a, *y = *(const struct counter *const *)b;

	return x->family != y->family ? x->family - y->family : strcmp(x->labels, y->labels);
}

/* Returns a new array of all series, in order; NULL: no memory. */
static const struct counter **
sorted(const struct counters *c)
{
	const struct counter **list = malloc((c->n + 1) * sizeof *list), *s;
	size_t i, n = 0;

	for (i = 0; list && i < COUNTERS_SLOTS; i++)
		for (s = c->slot[i]; s; s = s->next)
			list[n++] = s;
	if (list)
		qsort(list, n, sizeof *list, compare);
	return list;
}

static int
print_times(const struct counter *s, struct buf *b)
{
	const char *name = families[s->family].name, *comma = *s->labels ? "," : "", *open = *s->labels ? "{" : "",
	    *close = *s->labels ? "}" : "";
	uint64_t n = 0;
	size_t i;
	int r = 0;

	for (i = 0; i < COUNTERS_BUCKETS; i++) {
		n += s->bucket[i];
		r |= buf_printf(b, "%s_bucket{%s%sle=\"%s\"} %llu\n", name, s->labels, comma, limits[i].le, (unsigned long long)n);
	}
	r |= buf_printf(b, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", name, s->labels, comma, (unsigned long long)s->value);
	r |= buf_printf(b, "%s_sum%s%s%s %lld.%03d\n", name, open, s->labels, close, (long long)(s->sum_ms / 1000),
	    (int)(s->sum_ms % 1000));
	return r | buf_printf(b, "%s_count%s%s%s %llu\n", name, open, s->labels, close, (unsigned long long)s->value);
}

int
counters_print(const struct counters *c, struct buf *b)
{
	const struct counter **list = sorted(c);
	int family = -1, r = 0;
	size_t i;

	if (!list)
		return -1;
	for (i = 0; i < c->n; i++) {
		const struct counter *s = list[i];

		if (s->family != family) {
			family = s->family;
			r |= buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", families[family].name, families[family].help,
			    families[family].name, families[family].is_times ? "histogram" : "counter");
		}
		r |= families[family].is_times ? print_times(s, b) :
		    buf_printf(b, "%s%s%s%s %llu\n", families[family].name, *s->labels ? "{" : "", s->labels,
		    *s->labels ? "}" : "", (unsigned long long)s->value);
	}
	if (c->left_out > 0)
		r |= buf_printf(b, "# HELP %s %s\n# TYPE %s counter\n%s %llu\n", families[LEFT_OUT].name, families[LEFT_OUT].help,
		    families[LEFT_OUT].name, families[LEFT_OUT].name, (unsigned long long)c->left_out);
	free(list);
	return r;
}

int
counters_save(const struct counters *c, struct buf *b)
{
	const struct counter **list = sorted(c);
	size_t i, k;
	int r = 0;

	if (!list)
		return -1;
	for (i = 0; i < c->n; i++) {
		r |= buf_printf(b, "%s %llu %lld", families[list[i]->family].name, (unsigned long long)list[i]->value,
		    (long long)list[i]->sum_ms);
		for (k = 0; k < COUNTERS_BUCKETS; k++)
			r |= buf_printf(b, " %llu", (unsigned long long)list[i]->bucket[k]);
		r |= buf_printf(b, " %s\n", list[i]->labels);
	}
	r |= buf_printf(b, "%s %llu\n", families[LEFT_OUT].name, (unsigned long long)c->left_out);
	free(list);
	return r;
}

/* Take a number and the space after it. Returns false if the text does not begin with them. */
static bool
take_number(const char **p, uint64_t *n)
{
	const char *s = *p;

	for (*n = 0; *s >= '0' && *s <= '9' && *n < UINT64_MAX / 100; s++)
		*n = *n * 10 + (uint64_t)(*s - '0');
	if (s == *p || (*s != ' ' && *s != '\0'))
		return false;
	*p = s + (*s == ' ');
	return true;
}

/* Are these labels as we write them? In Prometheus' format anything else would end them, or the line. */
static bool
are_labels(const char *p)
{
	size_t n;

	for (; *p; p += *p == ',') {
		n = strspn(p, "abcdefghijklmnopqrstuvwxyz");
		if (n == 0 || p[n] != '=' || p[n + 1] != '"')
			return false;
		for (p += n + 2; *p != '"'; p++)
			if (*p < ' ' || *p > '~' || (*p == '\\' && *++p != '\\'))
				return false;
		p++;
		if (*p && (*p != ',' || !p[1]))
			return false;
	}
	return true;
}

int
counters_take(struct counters *c, const char *line)
{
	size_t n = strcspn(line, " "), i;
	const char *p = line + n + (line[n] == ' ');
	struct counter s = { .value = 0 }, *to;
	uint64_t sum;
	bool good;

	errno = EINVAL;
	for (s.family = 0; s.family < FAMILIES; s.family++)
		if (strncmp(families[s.family].name, line, n) == 0 && families[s.family].name[n] == '\0')
			break;
	if (s.family == FAMILIES || !take_number(&p, &s.value))
		return -1;
	if (s.family == LEFT_OUT) {
		c->left_out = s.value;
		return *p == '\0' ? 0 : -1;
	}
	good = take_number(&p, &sum);
	for (i = 0; i < COUNTERS_BUCKETS; i++)
		good = good && take_number(&p, &s.bucket[i]);
	if (!good || strlen(p) >= COUNTERS_LABELS || !are_labels(p))
		return -1;
	to = find(c, s.family, p);
	if (!to)
		return -1;
	to->value = s.value;
	to->sum_ms = (int64_t)sum;
	memcpy(to->bucket, s.bucket, sizeof to->bucket);
	return 0;
}

void
counters_free(struct counters *c)
{
	struct counter *s;
	size_t i;

	for (i = 0; i < COUNTERS_SLOTS; i++)
		while ((s = c->slot[i])) {
			c->slot[i] = s->next;
			free(s);
		}
}
