/* ISC licence, see LICENSE. */
#ifndef MSA_LOG_PAGE_H
#define MSA_LOG_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A page on standard output, of tables and plots: text, or HTML that needs nothing from elsewhere. */
struct page {
	bool html;
	size_t columns; /* of the table */
	size_t cell;
	int wide;       /* octets of the first column, in text */
};

void page_begin(struct page *p, bool html, const char *title);
void page_end(struct page *p);

void page_text(struct page *p, const char *text); /* a paragraph */

/* A table. The first column is text, the others are numbers. names ends with NULL. */
void page_table(struct page *p, const char *title, const char *const *names);
void page_name(struct page *p, const char *text);  /* begins a row */
void page_number(struct page *p, int64_t number);  /* -1: it is not known, or there is none */
void page_table_end(struct page *p);

/* A bar of a plot: what it is, and two figures that stand on each other. */
struct page_bar {
	char label[24];
	uint64_t value[2];
};

/* A plot of n bars, in HTML only. legend: what the two figures are; the second is NULL if there is one. */
void page_plot(struct page *p, const char *title, const struct page_bar *bar, size_t n, const char *const legend[2]);

#endif
