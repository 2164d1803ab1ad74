/* ISC licence, see LICENSE. */
#include "auth/oauth.h"

#include <string.h>

#include "fuzz.h"

static const char token68[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=";

/* What goes to the verifier is a name and a token without octets that its interface could not carry. */
static void
look(const char *message, size_t size, enum oauth_form form)
{
	struct oauth o;
	size_t i;

	if (oauth_parse(&o, form, message, size) != OAUTH_TOKEN)
		return;
	MUST(o.user_len <= OAUTH_USER_MAX && strlen(o.user) == o.user_len && (form == OAUTH_BEARER || o.user_len > 0));
	MUST(o.token_len > 0 && o.token > message && o.token + o.token_len + 2 <= message + size);
	MUST(message[size - 1] == '\1' && message[size - 2] == '\1');
	for (i = 0; i < o.token_len; i++)
		MUST(o.token[i] && strchr(token68, o.token[i]));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *message = malloc(size ? size : 1); /* no NUL after it */

	MUST(message != NULL);
	if (size > 0)
		memcpy(message, data, size);
	look(message, size, OAUTH_BEARER);
	look(message, size, OAUTH_XOAUTH2);
	free(message);
	return 0;
}
