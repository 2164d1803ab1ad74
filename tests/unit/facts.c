/* ISC licence, see LICENSE. */
#include "chain/facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

static enum facts_owner
owner(const char *name)
{
	static const char *const names[] = { "nobody", "operator", "tlsd", "authd", "submitd" };
	int i;

	for (i = 0; i < 4 && strcmp(names[i], name) != 0; i++)
		;
	return (enum facts_owner)i;
}

/*
 * On the environment, each argument in turn: NAME=value sets, -NAME unsets, +NAME=text sets what a peer chose (with
 * escapes), claim:OWNER, get:NAME, number:NAME, owner:NAME, is; call:NAME=value, NAME=value, ...: instead of all that,
 * what a resident has for a call that says so. Then "env": becomes env(1) with the facts.
 */
int
unit_facts(int argc, char **argv)
{
	struct facts f = { 0 };
	char name[] = "env", *const env[] = { name, NULL };
	int i, r = 0;

	if (facts_from_environ(&f) < 0)
		return 111;
	for (i = 1; i < argc && r == 0; i++) {
		char *a = argv[i], *eq = strchr(a, '=');
		const char *value;

		if (strcmp(a, "env") == 0) {
			if (facts_to_environ(&f) == 0)
				execv("/usr/bin/env", env);
			perror("env");
			return 111;
		}
		if (strncmp(a, "get:", 4) == 0)
			printf("%s\n", (value = facts_get(&f, a + 4)) ? value : "(not set)");
		else if (strncmp(a, "number:", 7) == 0)
			printf("%lld\n", facts_number(&f, a + 7, -1));
		else if (strncmp(a, "owner:", 6) == 0)
			printf("%s %d\n", a + 6, facts_owner(a + 6));
		else if (strncmp(a, "claim:", 6) == 0)
			facts_claim(&f, owner(a + 6));
		else if (strncmp(a, "call:", 5) == 0) {
			size_t n = strlen(a + 5), k;

			for (k = 0; k < n; k++)
				if (a[5 + k] == ',')
					a[5 + k] = '\0';
			facts_free(&f);
			if (facts_from_call(&f, a + 5, n, 4) < 0)
				perror("call");
		} else if (strcmp(a, "is") == 0)
			printf("tls %d authenticated %d lmtp %d\n", facts_is_tls(&f), facts_is_authenticated(&f),
			    facts_is_lmtp(&f));
		else if (*a == '-')
			facts_unset(&f, a + 1);
		else if (eq) {
			*eq++ = '\0';
			if (*a == '+') {
				size_t n = unit_unescape(eq);

				r = facts_set_text(&f, a + 1, eq, n);
			} else
				r = facts_set(&f, a, eq);
		}
	}
	facts_free(&f);
	return r < 0 ? 111 : 0;
}
