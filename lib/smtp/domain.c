/* ISC licence, see LICENSE. */
#include "smtp/domain.h"

#include <stdbool.h>
#include <string.h>

#include <idn2.h>

#include "base/username.h"

static bool
is_ascii(const char *s)
{
	while ((unsigned char)*s - 1u < 127)
		s++;
	return !*s;
}

/* Replace out by text, a domain that libidn2 has made, if there is room. */
static void
take(char out[ADDR_DOMAIN_MAX + 1], char *text)
{
	size_t n = strlen(text);

	if (n <= ADDR_DOMAIN_MAX)
		memcpy(out, text, n + 1);
	idn2_free(text);
}

void
domain_fold(char out[ADDR_DOMAIN_MAX + 1], const char *s, size_t n)
{
	char *text;

	if (n > ADDR_DOMAIN_MAX)
		n = ADDR_DOMAIN_MAX;
	username_fold(out, s, n);
	out[n] = '\0';
	if (!is_ascii(out) && idn2_to_ascii_8z(out, &text, IDN2_NONTRANSITIONAL) == IDN2_OK)
		take(out, text);
}

void
domain_fold_u(char out[ADDR_DOMAIN_MAX + 1], const char *s, size_t n)
{
	char *text;

	domain_fold(out, s, n);
	if (strstr(out, "xn--") && idn2_to_unicode_8z8z(out, &text, 0) == IDN2_OK)
		take(out, text);
}
