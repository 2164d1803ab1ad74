/* ISC licence, see LICENSE. */
#include "mail/strictlist.h"

#include <string.h>
#include <strings.h>

#include "fuzz.h"
#include "mail/addrlist.h"

enum { BOXES_MAX = 64 };

struct boxes {
	struct addr a[BOXES_MAX];
	size_t n;
	bool ok;
};

static void
read_list(struct boxes *b, const char *s, size_t size, bool any_punctuation)
{
	enum strictlist_result r;
	struct strictlist l;
	struct addr a;

	b->n = 0;
	strictlist_begin(&l, s, 0, size);
	l.any_punctuation = any_punctuation;
	while ((r = strictlist_next(&l, &a)) == STRICTLIST_BOX) {
		MUST(a.has_domain && a.len == strlen(a.text));
		if (b->n < BOXES_MAX)
			b->a[b->n] = a;
		b->n++;
	}
	b->ok = r == STRICTLIST_END;
	MUST(b->ok ? b->n > 0 && l.pos == size : l.why && *l.why && l.pos <= size);
}

static size_t
count(const char *s, size_t size, char c)
{
	size_t n = 0, i;

	for (i = 0; i < size; i++)
		n += s[i] == c;
	return n;
}

/* What is accepted has the same addresses for addrlist, and no mark of an address but theirs. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data;
	struct boxes strict, any;
	struct addrlist list;
	struct addrlist_item m;
	struct addr a;
	enum addrlist_result r;
	size_t n = 0, marks;

	read_list(&any, s, size, true);
	read_list(&strict, s, size, false);
	MUST(!strict.ok || (any.ok && any.n == strict.n));
	if (!any.ok)
		return 0;
	marks = count(s, size, '@');
	MUST(marks >= any.n && marks <= 2 * any.n);
	MUST(count(s, size, '<') <= any.n && count(s, size, '<') == count(s, size, '>'));
	addrlist_begin(&list, s, 0, size);
	while ((r = addrlist_next(&list, &m)) == ADDRLIST_BOX) {
		MUST(n < any.n && !m.in_group && addrlist_addr(s, &m, &a) == 0);
		if (n < BOXES_MAX)
			MUST(strcmp(a.text, any.a[n].text) == 0);
		n++;
	}
	MUST(r == ADDRLIST_END && n == any.n);
	return 0;
}
