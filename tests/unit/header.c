/* ISC licence, see LICENSE. */
#include "mail/header.h"

#include <stdio.h>

#include "mail/addrlist.h"
#include "unit.h"

static void
show(const char *text, size_t begin, size_t end)
{
	putchar('[');
	for (; begin < end; begin++)
		if (text[begin] >= ' ' && text[begin] <= '~')
			putchar(text[begin]);
		else
			printf("\\x%02x", (unsigned char)text[begin]);
	putchar(']');
}

static void
show_addresses(const char *text, const struct field *f)
{
	enum addrlist_result r;
	struct addrlist list;
	struct addrlist_item m;
	struct addr a;

	addrlist_begin(&list, text, f->value, f->end);
	while ((r = addrlist_next(&list, &m)) == ADDRLIST_BOX) {
		printf("  %s name ", m.in_group ? "member" : "box");
		show(text, m.name, m.name_end);
		printf(" local ");
		show(text, m.local, m.local_end);
		printf(" domain ");
		show(text, m.domain, m.domain_end);
		printf(" %zu ", m.labels);
		show(text, m.label, m.labels ? m.domain_end : m.label);
		printf(m.is_literal ? " literal" : "");
		if (addrlist_addr(text, &m, &a) < 0)
			printf(" no path\n");
		else {
			printf(" path ");
			show(a.text, 0, a.len);
			putchar('\n');
		}
	}
	printf(r == ADDRLIST_BAD ? "  bad\n" : "  end %zu\n", list.addresses);
}

/* Reads the message on fd 0, a regular file. Prints a line for each field, and for each address in an address field. */
int
unit_header(int argc, char **argv)
{
	struct header h = { 0 };
	struct field f;
	size_t pos = 0;
	int r;

	(void)argc;
	(void)argv;
	switch (header_read(&h, 0, HEADER_MAX)) {
	case HEADER_LONG:
		puts("long");
		header_free(&h);
		return 0;
	case HEADER_ERROR:
		perror("header");
		header_free(&h);
		return 111;
	case HEADER_OK:
		break;
	}
	printf("header %zu%s%s\n", h.text.len, h.crlf ? " crlf" : "", h.bare ? " bare" : "");
	while ((r = header_next(h.text.p, h.text.len, &pos, &f)) != 0) {
		if (r < 0) {
			printf("line %zu is no field\n", header_line(h.text.p, f.name));
			continue;
		}
		printf("%s ", f.id == FIELD_OTHER ? "-" : field_name(f.id));
		show(h.text.p, f.name, f.name_end);
		putchar(' ');
		if (f.end - f.value < 200)
			show(h.text.p, f.value, f.end);
		else
			printf("%zu", f.end - f.value);
		printf(" +%zu\n", f.next - f.end);
		if (field_syntax(f.id) != FIELD_OPAQUE)
			show_addresses(h.text.p, &f);
	}
	header_free(&h);
	return 0;
}
