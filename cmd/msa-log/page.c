/* ISC licence, see LICENSE. */
#include "page.h"

#include <stdio.h>
#include <string.h>

#include "xml.h"

enum {
	WIDE = 40,    /* octets of the first column of a table, in text */
	NUMBER = 11,  /* of the others */
	PLOT_W = 900, /* pixels of a plot, and of its parts */
	PLOT_H = 180,
	PLOT_LEFT = 70,
	PLOT_TOP = 24,
	PLOT_BOTTOM = 22,
	LABELS = 8,   /* below a plot */
	BAR = 80,     /* pixels of a bar, at most */
};

void
page_begin(struct page *p, bool html, const char *title)
{
	*p = (struct page){ .html = html, .wide = WIDE };
	if (!html) {
		printf("%s\n", title);
		return;
	}
	puts("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">");
	puts("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">");
	puts("<meta name=\"viewport\" content=\"width=device-width\">");
	fputs("<title>", stdout);
	xml_put(title);
	puts("</title>\n<style>");
	puts("body{font:15px/1.45 sans-serif;margin:2em auto;max-width:62em;padding:0 1em;color:#222;background:#fff}");
	puts("h1{font-size:1.5em}h2{font-size:1.1em;margin:1.8em 0 .4em}table{border-collapse:collapse;width:100%}");
	puts("th,td{padding:.15em .6em;text-align:right;border-bottom:1px solid #ddd;font-variant-numeric:tabular-nums}");
	puts("th:first-child,td:first-child{text-align:left;overflow-wrap:anywhere}thead th{color:#555;font-weight:normal}");
	puts("svg{width:100%;height:auto}svg text{font-size:12px;fill:#555}.v0{fill:#2a7ab9}.v1{fill:#c8452f}.g{stroke:#ddd}");
	fputs("</style>\n</head>\n<body>\n<h1>", stdout);
	xml_put(title);
	puts("</h1>");
}

void
page_end(struct page *p)
{
	if (p->html)
		puts("</body>\n</html>");
}

void
page_text(struct page *p, const char *text)
{
	if (!p->html) {
		puts(text);
		return;
	}
	fputs("<p>", stdout);
	xml_put(text);
	puts("</p>");
}

void
page_table(struct page *p, const char *title, const char *const *names)
{
	size_t i;

	p->cell = 0;
	for (p->columns = 0; names[p->columns]; p->columns++)
		;
	if (!p->html) {
		printf("\n%-*s", p->wide, title);
		for (i = 1; names[i]; i++)
			printf("%*s", NUMBER, names[i]);
		putchar('\n');
		return;
	}
	fputs("<h2>", stdout);
	xml_put(title);
	fputs("</h2>\n<table>\n<thead><tr>", stdout);
	for (i = 0; names[i]; i++) {
		fputs("<th>", stdout);
		xml_put(names[i]);
		fputs("</th>", stdout);
	}
	puts("</tr></thead>\n<tbody>");
}

static void
end_row(struct page *p)
{
	if (p->cell < p->columns)
		return;
	puts(p->html ? "</tr>" : "");
	p->cell = 0;
}

void
page_name(struct page *p, const char *text)
{
	p->cell = 1;
	if (p->html) {
		fputs("<tr><td>", stdout);
		xml_put(text);
		fputs("</td>", stdout);
	} else if ((int)strlen(text) > p->wide - 2 && p->columns > 1)
		printf("  %s\n%*s", text, p->wide, "");
	else
		printf("  %-*s", p->columns > 1 ? p->wide - 2 : 0, text);
	end_row(p);
}

void
page_number(struct page *p, int64_t number)
{
	char text[24] = "-";

	if (number >= 0)
		snprintf(text, sizeof text, "%lld", (long long)number);
	if (p->html)
		printf("<td>%s</td>", text);
	else
		printf("%*s", NUMBER, text);
	p->cell++;
	end_row(p);
}

void
page_table_end(struct page *p)
{
	if (p->html)
		puts("</tbody>\n</table>");
}

static void
plot_legend(const char *const legend[2])
{
	int x = PLOT_LEFT, i;

	for (i = 0; i < 2 && legend[i]; i++) {
		printf("<rect x=\"%d\" y=\"4\" width=\"12\" height=\"12\" class=\"v%d\"/><text x=\"%d\" y=\"15\">", x, i, x + 18);
		xml_put(legend[i]);
		puts("</text>");
		x += 120;
	}
}

void
page_plot(struct page *p, const char *title, const struct page_bar *bar, size_t n, const char *const legend[2])
{
	double unit, width = n ? (double)(PLOT_W - PLOT_LEFT) / (double)n : 1,
	    thick = width * 0.86 < BAR ? width * 0.86 : BAR;
	uint64_t most = 1;
	size_t i, k;

	if (!p->html || n == 0)
		return;
	for (i = 0; i < n; i++)
		if (bar[i].value[0] + bar[i].value[1] > most)
			most = bar[i].value[0] + bar[i].value[1];
	unit = (double)PLOT_H / (double)most;
	fputs("<h2>", stdout);
	xml_put(title);
	printf("</h2>\n<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", PLOT_W, PLOT_TOP + PLOT_H + PLOT_BOTTOM);
	xml_put(title);
	puts("\">");
	plot_legend(legend);
	for (k = 0; k <= 2; k++)
		printf("<path d=\"M%d %dH%d\" class=\"g\"/><text x=\"%d\" y=\"%d\" text-anchor=\"end\">%llu</text>\n", PLOT_LEFT,
		    PLOT_TOP + PLOT_H - (int)k * PLOT_H / 2, PLOT_W, PLOT_LEFT - 6, PLOT_TOP + PLOT_H - (int)k * PLOT_H / 2 + 4,
		    (unsigned long long)(most * k / 2));
	for (i = 0; i < n; i++) {
		double x = PLOT_LEFT + width * (double)i, y = PLOT_TOP + PLOT_H;

		for (k = 0; k < 2; k++) {
			double height = unit * (double)bar[i].value[k];

			if (bar[i].value[k] == 0)
				continue;
			y -= height;
			printf("<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" class=\"v%zu\"><title>", x, y,
			    thick, height, k);
			xml_put(bar[i].label);
			printf(" %llu</title></rect>\n", (unsigned long long)bar[i].value[k]);
		}
		if (i % ((n + LABELS - 1) / LABELS) == 0) {
			printf("<text x=\"%.1f\" y=\"%d\">", x, PLOT_TOP + PLOT_H + 16);
			xml_put(bar[i].label);
			puts("</text>");
		}
	}
	puts("</svg>");
}
