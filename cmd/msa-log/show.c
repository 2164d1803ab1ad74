/* ISC licence, see LICENSE. */
#include "show.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

void
show_time(char text[SHOW_TIME], int64_t us, int ms)
{
	time_t t = (time_t)(us / 1000000);
	struct tm tm;
	size_t n;

	if (us < 0 || !localtime_r(&t, &tm)) {
		strcpy(text, "-");
		return;
	}
	n = strftime(text, SHOW_TIME, "%Y-%m-%d %H:%M:%S", &tm);
	if (ms)
		snprintf(text + n, SHOW_TIME - n, ".%03d", (int)(us / 1000 % 1000));
}

int
show_is_part(const struct logline *l, const char *id)
{
	return !id || l->message.n == 0 || logline_is(&l->message, id);
}

/* How wide the columns are, and when the first line was. */
struct layout {
	int64_t us;
	int stage, event;
	int guessed; /* the lines have no times of their own */
	struct logline_text message; /* the first one */
	int messages;                /* 2: several */
};

static void
measure(struct layout *w, const struct story *s, const char *id)
{
	struct logline l;
	size_t at = 0;

	*w = (struct layout){ .us = -1 };
	while (story_line(s, &at, &l)) {
		if (!show_is_part(&l, id))
			continue;
		if (l.us >= 0 && (w->us < 0 || l.us < w->us))
			w->us = l.us;
		w->guessed |= l.guessed;
		if ((int)l.stage.n > w->stage)
			w->stage = (int)l.stage.n;
		if ((int)l.event.n > w->event)
			w->event = (int)l.event.n;
		if (l.message.n == 0)
			continue;
		if (w->messages == 0) {
			w->message = l.message;
			w->messages = 1;
		} else if (w->message.n != l.message.n || memcmp(w->message.p, l.message.p, l.message.n) != 0)
			w->messages = 2;
	}
}

static void
print_fields(const struct logline *l)
{
	size_t i;

	for (i = 0; i < l->n; i++) {
		const struct logline_field *f = &l->field[i];
		const char *quote = f->quoted ? "\"" : "";

		printf("%s%.*s=%s%.*s%s", i ? " " : "  ", (int)f->key.n, f->key.p, quote, (int)f->value.n, f->value.p, quote);
	}
}

void
show_timeline(const struct story *s, const char *id)
{
	char text[SHOW_TIME];
	struct layout w;
	struct logline l;
	size_t at = 0;

	measure(&w, s, id);
	if (*s->key == '/')
		printf("message %s", s->key + 1);
	else if (w.messages == 1)
		printf("session %s  message %.*s", s->key, (int)w.message.n, w.message.p);
	else
		printf("session %s", s->key);
	show_time(text, w.us, !w.guessed);
	printf("  %s\n", text);
	while (story_line(s, &at, &l)) {
		if (!show_is_part(&l, id))
			continue;
		if (l.us < 0)
			printf("%9s", "-");
		else
			printf("%s%8.3f", l.guessed ? "~" : "+", (double)(l.us - w.us) / 1e6);
		if (w.messages > 1)
			printf("  %-14.*s", (int)l.message.n, l.message.p);
		printf("  %-*.*s  %-*.*s", w.stage, (int)l.stage.n, l.stage.p, l.n ? w.event : 0, (int)l.event.n, l.event.p);
		print_fields(&l);
		puts(l.cut ? " (cut off)" : "");
	}
	if (s->left_out)
		printf("%9s  and %zu lines more\n", "", s->left_out);
}

void
show_new_lines(struct story *s, const char *id)
{
	char text[SHOW_TIME];
	struct logline l;

	while (story_line(s, &s->told, &l)) {
		if (!show_is_part(&l, id))
			continue;
		show_time(text, l.us, !l.guessed);
		printf("%s %.*s: %.*s\n", text, (int)l.stage.n, l.stage.p, (int)l.rest.n, l.rest.p);
	}
}
