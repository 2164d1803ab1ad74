/* ISC licence, see LICENSE. */
#include "sequence.h"

#include <stdio.h>
#include <string.h>

#include "kind.h"
#include "show.h"
#include "xml.h"

enum {
	COLUMNS = 24, /* those that come later share the last one */
	NAME = 32,    /* octets of a column's name, with the NUL */
	LABEL = 160,  /* octets beside a row, with the NUL */
	STEP = 80,    /* pixels from a column to the next, at least, and from a row to the next */
	ROW = 24,
	LEFT = 80,    /* the times stand there */
	TOP = 60,
	CHARACTER = 8, /* the width of one, or a little more */
};

struct column {
	char name[NAME];
	int rank; /* from left to right; columns of one rank as they came */
	int x;    /* of its line */
};

struct sequence {
	const struct story *story;
	const char *id;
	struct column column[COLUMNS];
	size_t n;
	int64_t us; /* of the first line */
	size_t rows, width;
	size_t at;  /* behind the line that is placed */
	struct {
		struct logline_text stage, message, to;
	} hop; /* the last one that was found */
};

/* A row: from one column to another, or on one. */
struct row {
	const struct column *from, *to;
	char label[LABEL];
};

static bool
is_injector(const struct logline_text *stage)
{
	return stage->n > 7 && memcmp(stage->p + stage->n - 7, "-inject", 7) == 0;
}

static int
rank_of(const struct logline *l)
{
	if (logline_is(&l->stage, "tlsd"))
		return 1;
	if (logline_is(&l->stage, "authd"))
		return 2;
	if (kind_is_client_stage(&l->stage))
		return 3;
	return logline_is(&l->stage, "spoold") ? 5 : is_injector(&l->stage) ? 6 : 4;
}

/* The column with this name; it is made if it is new. */
static struct column *
column_of(struct sequence *q, const struct logline_text *name, int rank)
{
	size_t i, n = name->n < NAME ? name->n : NAME - 1;

	for (i = 0; i < q->n; i++)
		if (strncmp(q->column[i].name, name->p, n) == 0 && q->column[i].name[n] == '\0')
			return &q->column[i];
	if (q->n == COLUMNS) {
		strcpy(q->column[COLUMNS - 1].name, "others");
		return &q->column[COLUMNS - 1];
	}
	for (i = q->n++; i > 0 && q->column[i - 1].rank > rank; i--)
		q->column[i] = q->column[i - 1];
	q->column[i] = (struct column){ .rank = rank };
	memcpy(q->column[i].name, name->p, n);
	return &q->column[i];
}

static bool
is_same(const struct logline_text *a, const struct logline_text *b)
{
	return a->n == b->n && memcmp(a->p, b->p, a->n) == 0;
}

/*
 * The next hop of a line: its own, or for an injector that of the next line of this stage and message that has one. A
 * delivery's line for each recipient comes before the one that names the next hop.
 */
static struct logline_text
hop_of(struct sequence *q, const struct logline *l)
{
	const struct logline_text *to = logline_get(l, "to");
	size_t at = q->at;
	struct logline other;

	if (to || !is_injector(&l->stage))
		return to ? *to : (struct logline_text){ NULL, 0 };
	if (q->hop.to.n && is_same(&q->hop.stage, &l->stage) && is_same(&q->hop.message, &l->message))
		return q->hop.to;
	while (story_line(q->story, &at, &other))
		if (is_same(&other.stage, &l->stage) && is_same(&other.message, &l->message) && (to = logline_get(&other, "to"))) {
			q->hop.stage = other.stage;
			q->hop.message = other.message;
			q->hop.to = *to;
			return *to;
		}
	return (struct logline_text){ NULL, 0 };
}

/* What stands beside a row: the event and those values that say most. */
static void
label(struct row *r, const struct logline *l)
{
	static const char *const keys[] = { "user", "rcpt", "reply", "code", "verb", "reason", "why", "who", "tls", "ms",
		NULL };
	const struct logline_text *t;
	size_t n, i;

	n = (size_t)snprintf(r->label, LABEL, "%.*s", (int)l->event.n, l->event.p);
	for (i = 0; keys[i] && n < LABEL - 1; i++)
		if ((t = logline_get(l, keys[i])))
			n += (size_t)snprintf(r->label + n, LABEL - n, " %s%.*s%s", strcmp(keys[i], "code") == 0 ? "code=" : "",
			    (int)t->n, t->p, strcmp(keys[i], "ms") == 0 ? " ms" : "");
}

/* Find the columns of a line; they are made if they are new. */
static void
place(struct sequence *q, struct row *r, const struct logline *l)
{
	static const char client[] = "client";
	static const char *const answers[] = { "accepted", "mixed", "refused", "rejected", "failed", "timeout", "ended",
		"penalty", "foreign", NULL };
	static const char *const outcomes[] = { "reached", "refused", "copy", "failed", NULL };
	struct logline_text name = { client, sizeof client - 1 }, hop = hop_of(q, l);

	column_of(q, &name, 0);
	if (hop.n)
		column_of(q, &hop, 7);
	r->from = r->to = column_of(q, &l->stage, rank_of(l));
	if (logline_is(&l->event, "authenticated") || logline_is(&l->event, "handshake"))
		r->from = column_of(q, &name, 0);
	else if (kind_is_client_stage(&l->stage) && kind_is_one_of(&l->event, answers))
		r->to = column_of(q, &name, 0);
	else if (hop.n && kind_is_one_of(&l->event, outcomes))
		r->to = column_of(q, &hop, 7);
}

/* Draws row n. */
typedef void (*draw_fn)(const struct sequence *q, const struct row *r, const struct logline *l, size_t n);

/* Call draw for each row; NULL: only find the columns. */
static void
each_row(struct sequence *q, draw_fn draw)
{
	struct logline l;
	struct row r;
	size_t n = 0;

	q->at = 0;
	q->hop.to.n = 0;
	while (story_line(q->story, &q->at, &l)) {
		if (!show_is_part(&l, q->id))
			continue;
		if (l.us >= 0 && (q->us < 0 || l.us < q->us))
			q->us = l.us;
		place(q, &r, &l);
		label(&r, &l);
		if (strlen(r.label) > q->width)
			q->width = strlen(r.label);
		if (draw)
			draw(q, &r, &l, n);
		n++;
	}
	q->rows = n;
}

static double
seconds(const struct sequence *q, const struct logline *l)
{
	return l->us < 0 ? 0 : (double)(l->us - q->us) / 1e6;
}

static void
draw_text(const struct sequence *q, const struct row *r, const struct logline *l, size_t n)
{
	char line[COLUMNS * NAME + NAME];
	int end = q->column[q->n - 1].x, a = r->from->x, b = r->to->x, x;
	size_t i;

	(void)n;
	memset(line, ' ', (size_t)end + 1);
	line[end + 1] = '\0';
	for (i = 0; i < q->n; i++)
		line[q->column[i].x] = '|';
	for (x = (a < b ? a : b) + 1; x < (a < b ? b : a); x++)
		line[x] = '-';
	if (a == b)
		line[a] = '*';
	else
		line[a < b ? b - 1 : b + 1] = a < b ? '>' : '<';
	printf("%c%8.3f %s  %s\n", l->guessed ? '~' : '+', seconds(q, l), line, r->label);
}

void
sequence_text(const struct story *s, const char *id)
{
	struct sequence q = { .story = s, .id = id, .us = -1 };
	int x = 0, width;
	size_t i;

	each_row(&q, NULL);
	printf("%9s ", "");
	for (i = 0; i < q.n; i++) { /* a name stands with its middle over its line */
		width = (int)strlen(q.column[i].name);
		printf(" %s ", q.column[i].name);
		q.column[i].x = x + 1 + width / 2;
		x += width + 2;
	}
	putchar('\n');
	if (q.n > 0)
		each_row(&q, draw_text);
}

static void
draw_svg(const struct sequence *q, const struct row *r, const struct logline *l, size_t n)
{
	int y = TOP + ROW * (int)n, end = q->column[q->n - 1].x, a = r->from->x, b = r->to->x,
	    head = a < b ? 6 : -6;

	printf("<text x=\"8\" y=\"%d\" class=\"t\">%c%.3f</text>", y + 4, l->guessed ? '~' : '+', seconds(q, l));
	if (a == b)
		printf("<circle cx=\"%d\" cy=\"%d\" r=\"4\"/>", a, y);
	else
		printf("<path d=\"M%d %dH%dm%d -4l%d 4l%d 4\" class=\"a\"/>", a, y, b, -head, head, -head);
	printf("<text x=\"%d\" y=\"%d\">", end + 20, y + 4);
	xml_put(r->label);
	puts("</text>");
}

void
sequence_svg(const struct story *s, const char *id)
{
	struct sequence q = { .story = s, .id = id, .us = -1 };
	int height, width = LEFT;
	size_t i;

	each_row(&q, NULL);
	for (i = 0; i < q.n; i++) { /* a name has its middle over its line, and room on both sides */
		int half = CHARACTER * ((int)strlen(q.column[i].name) + 1) / 2;

		half = half > STEP / 2 ? half : STEP / 2;
		q.column[i].x = width + half;
		width += 2 * half;
	}
	height = TOP + ROW * (int)q.rows;
	width += 40 + CHARACTER * (int)q.width;
	printf("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n", width, height,
	    width, height);
	puts("<style>text{font:12px monospace}.t{fill:#666}.l{stroke:#bbb}.a{stroke:#06c;fill:none;stroke-width:1.5}"
	    ".h{font-weight:bold;text-anchor:middle}circle{fill:#06c}</style>");
	printf("<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n", width, height);
	for (i = 0; i < q.n; i++) {
		printf("<text x=\"%d\" y=\"24\" class=\"h\">", q.column[i].x);
		xml_put(q.column[i].name);
		printf("</text><path d=\"M%d 34V%d\" class=\"l\"/>\n", q.column[i].x, height - 8);
	}
	if (q.n > 0)
		each_row(&q, draw_svg);
	puts("</svg>");
}
