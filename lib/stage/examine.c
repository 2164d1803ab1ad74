/* ISC licence, see LICENSE. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/user.h"
#include "stage/handover.h"
#include "stage/instance.h"
#include "stage/sandbox.h"

/* What msa-check(8) asks a stage that has read its words: each look is like the one of a stage that serves calls. */

void
stage_found(struct instance *i, const char *word, const char *cure, const char *fmt, ...)
{
	char what[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	if (i->asked)
		finding_error(i->asked, word, cure, "%s", what);
	i->faults++;
}

/* Take the uid that serves calls. Whoever is not root cannot, and sees what the own uid may do. */
static void
take_user(struct instance *i)
{
	const char *name = i->options.user;
	struct user user;

	if (!name)
		return;
	if (user_find(&user, name) < 0) {
		stage_found(i, name, NULL, "%s", errno == ENOENT ? "no such user" : strerror(errno));
		return;
	}
	finding_fact("user", name);
	if (geteuid() == 0 && user_take(&user) < 0)
		stage_found(i, name, NULL, "%s", strerror(errno));
	user_free(&user);
}

/* Look whether the files that the stage claims can be reached with this uid. */
static void
look_at_claims(struct instance *i)
{
	struct sandbox s;
	size_t n;

	sandbox_state(&s, i, 0);
	for (n = 0; i->options.path && n < s.confine.nreads; n++) /* an exec'd stage has opened them already */
		if (faccessat(AT_FDCWD, s.confine.reads[n], R_OK, AT_EACCESS) < 0 &&
		    errno != ENOENT) /* check has opened a table; the file of what a next hop offers may come later */
			finding_warning(i->asked, s.confine.reads[n], "let the user read it, or send SIGHUP after each change",
			    "user %s cannot read it anew", i->options.user ? i->options.user : "who serves");
	for (n = 0; n < s.confine.nwrites; n++)
		if (faccessat(AT_FDCWD, s.confine.writes[n], R_OK | W_OK | X_OK, AT_EACCESS) < 0)
			stage_found(i, s.confine.writes[n], NULL, "%s", strerror(errno));
	sandbox_free(&s);
}

void
instance_examine(struct instance *i)
{
	const struct stage *stage = i->stage;
	size_t n;
	bool is_whole = i->faults == 0; /* otherwise it is not known what serving needs */

	finding_stage(stage->name, i->kind == STAGE_SESSION ? "session" : "message");
	if (stage->starts_chain)
		finding_fact("starts", "message");
	if (i->options.path) {
		finding_fact("listen", i->options.path);
		finding_number("workers", i->options.max);
		for (n = 0; n < i->options.nallow; n++)
			finding_number("allow", i->options.allow[n]);
		for (n = 0; n < i->options.ngroups; n++)
			finding_number("group", i->options.groups[n]);
	}
	if (stage->next == STAGE_DELIVERS || i->next.how == NEXT_CALL)
		finding_fact("ends", "");
	take_user(i);
	if (i->instead)
		stage_found(i, "", "leave that option out", "has an option that prints something and ends");
	if (i->next.how == NEXT_CALL)
		finding_calls(i->next.path, handover_probe(i->next.path));
	if (is_whole)
		look_at_claims(i);
	if (is_whole && stage->examine)
		stage->examine(i->conf, i);
}
