/* ISC licence, see LICENSE. */
#include "mail/datetime.h"

#include <ctype.h>
#include <string.h>

#include "fuzz.h"
#include "mail/addrlist.h"
#include "msa/buf.h"

static bool
has_month(const char *s, size_t n)
{
	static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
	size_t i, k;

	for (i = 0; i + 3 <= n; i++)
		for (k = 0; k < sizeof names - 1; k += 3)
			if (tolower((unsigned char)s[i]) == names[k] && tolower((unsigned char)s[i + 1]) == names[k + 1] &&
			    tolower((unsigned char)s[i + 2]) == names[k + 2])
				return true;
	return false;
}

/*
 * The input as the value of a Date and of a Message-ID. What is valid has the parts that it must have, is valid also
 * with a comment on either side (RFC 5322 4.3), and nothing outside [begin, end) counts.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf b = { 0 };
	size_t i, digits = 0;
	bool date, id;

	MUST(buf_puts(&b, "(a (b))") == 0 && buf_add(&b, data, size) == 0 && buf_puts(&b, "(c)9") == 0);
	date = datetime_is_valid(b.p, 7, 7 + size);
	id = addrlist_is_msg_id(b.p, 7, 7 + size);
	MUST(!date || !id);
	MUST(datetime_is_valid((const char *)data, 0, size) == date && addrlist_is_msg_id((const char *)data, 0, size) == id);
	if (date) {
		for (i = 0; i < size; i++)
			digits += isdigit(data[i]) != 0;
		MUST(digits >= 6 && has_month((const char *)data, size) && memchr(data, ':', size));
		MUST(datetime_is_valid(b.p, 0, b.len - 1) && !datetime_is_valid(b.p, 0, b.len));
	}
	if (id)
		MUST(memchr(data, '<', size) && memchr(data, '@', size) && memchr(data, '>', size));
	buf_free(&b);
	return 0;
}
