/* ISC licence, see LICENSE. */
#include "auth/oauth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

static void
show(const char *s, size_t n, enum oauth_form form)
{
	struct oauth o;

	switch (oauth_parse(&o, form, s, n)) {
	case OAUTH_TOKEN:
		putchar('[');
		unit_show(o.user, o.user_len);
		fputs("] [", stdout);
		unit_show(o.token, o.token_len);
		printf("]%s", o.user[o.user_len] ? " NO NUL" : "");
		break;
	case OAUTH_NO_TOKEN:
		fputs("no token", stdout);
		break;
	default:
		fputs("malformed", stdout);
	}
}

/*
 * "input => [user] [token]", "no token" or "malformed" for each line of input; the argument is bearer or xoauth2. With
 * the arguments "error form result [scope [url]]": the error. With "scope" and "url": whether the line may be one.
 */
int
unit_oauth(int argc, char **argv)
{
	char json[OAUTH_ERROR_MAX], *s, *raw;
	size_t n;

	if (argc > 3 && strcmp(argv[1], "error") == 0) {
		n = oauth_error(json, strcmp(argv[2], "xoauth2") == 0 ? OAUTH_XOAUTH2 : OAUTH_BEARER,
		    (enum oauth_result)atoi(argv[3]), argc > 4 && *argv[4] ? argv[4] : NULL, argc > 5 ? argv[5] : NULL);
		printf("%s%s\n", json, strlen(json) == n ? "" : " WRONG LENGTH");
		return 0;
	}
	while ((s = unit_line(&n, &raw))) {
		printf("%s => ", raw);
		if (strcmp(argv[1], "scope") == 0)
			fputs(oauth_is_scope(s) ? "yes" : "no", stdout);
		else if (strcmp(argv[1], "url") == 0)
			fputs(oauth_is_url(s) ? "yes" : "no", stdout);
		else
			show(s, n, strcmp(argv[1], "xoauth2") == 0 ? OAUTH_XOAUTH2 : OAUTH_BEARER);
		putchar('\n');
		free(s);
		free(raw);
	}
	return 0;
}
