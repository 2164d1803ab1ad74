/* ISC licence, see LICENSE. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/id.h"
#include "chain/limits.h"
#include "mail/draft.h"
#include "msa/msgfile.h"
#include "smtp/addr.h"
#include "stage/instance.h"

/* The first stage of a chain that users of this machine call: the user is who calls, and nothing else is believed. */

enum {
	NAME_MAX_FACT = 64, /* octets of a variable's name, with a NUL */
	USER_MAX = 255,
};

struct conf {
	const char *domain; /* NULL: names of users have none */
};

/* Write the caller's name. Returns REPLY_OK, or the reply with *why set to the reason, a constant or that of errno. */
static enum reply
find_user(const struct call *call, const struct conf *conf, char user[USER_MAX + 1], const char **why)
{
	const struct passwd *pw;
	struct addr a;
	int n;

	errno = 0;
	pw = getpwuid(call->caller);
	*why = "no user has this uid";
	if (!pw && errno != 0 && errno != ENOENT && errno != ESRCH) {
		*why = strerror(errno);
		return REPLY_LOCAL_ERROR;
	}
	if (!pw)
		return REPLY_NO_RIGHT;
	n = snprintf(user, USER_MAX + 1, "%s%s%s", pw->pw_name, conf->domain ? "@" : "",
	    conf->domain ? conf->domain : "");
	*why = "the user's name cannot be part of an address";
	if (n > USER_MAX || (conf->domain && addr_mailbox(user, (size_t)n, &a) < 0))
		return REPLY_NO_RIGHT;
	return REPLY_OK;
}

/* Returns true for a variable about the message in hand; all others say who sends it, or from where. */
static bool
is_of_message(const char *name)
{
	return facts_owner(name) == FACTS_SUBMITD || strcmp(name, "MSA_SESSION") == 0;
}

static void
name_of(char name[NAME_MAX_FACT], const char *variable)
{
	snprintf(name, NAME_MAX_FACT, "%.*s", (int)strcspn(variable, "="), variable);
}

/* An id stands in the log and in Received as it is. Returns 0, or -1 with errno set (ENOMEM). */
static int
check_id(struct facts *f, const char *name)
{
	const char *value = facts_get(f, name);
	char id[ID_MAX];

	if (value && *value && strlen(value) < ID_MAX && value[strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789")] == '\0')
		return 0;
	id_make(id);
	return facts_set(f, name, id);
}

/*
 * Set the facts: the operator's are those of our own environment, and nothing of a session is left. Returns 0, or -1
 * with errno set (ENOMEM).
 */
static int
set_facts(struct call *call, const char *user)
{
	struct facts own = { .n = 0 }, *f = &call->facts;
	char name[NAME_MAX_FACT];
	size_t i = 0;
	int r = facts_from_environ(&own);

	while (i < f->n) {
		name_of(name, f->v[i]);
		if (facts_owner(name) == FACTS_NOBODY || is_of_message(name))
			i++;
		else
			facts_unset(f, name);
	}
	for (i = 0; r == 0 && i < own.n; i++) {
		name_of(name, own.v[i]);
		if (facts_owner(name) == FACTS_OPERATOR && !is_of_message(name))
			r = facts_set(f, name, facts_get(&own, name));
	}
	facts_free(&own);
	if (r < 0 || facts_set(f, "SMTPAUTHUSER", user) < 0 || check_id(f, "MSA_SESSION") < 0 ||
	    check_id(f, "MSA_MESSAGE") < 0)
		return -1;
	return call_learn(call, FACTS_NOBODY);
}

/*
 * A caller may write to the files that it gave us while a later stage reads them, and nothing has looked at what they
 * hold. So the chain gets copies. Both functions return REPLY_OK with *fd set, or the reply with *why set.
 */
static enum reply
copy_message(const struct call *call, int *fd, const char **why)
{
	struct draft draft = { .max = (off_t)facts_number(&call->facts, "DATABYTES", 0) };

	*fd = lseek(call->in, 0, SEEK_SET) < 0 ? -1 : draft_read(&draft, call->in);
	*why = *fd < 0 ? strerror(errno) : "the message has a NUL or a CR without LF";
	if (*fd >= 0)
		return draft.bare ? REPLY_BARE : REPLY_OK;
	return errno == EFBIG && draft.max > 0 ? REPLY_TOO_BIG : reply_of_errno(errno);
}

static enum reply
copy_envelope(const struct envelope *e, int *fd, const char **why)
{
	struct buf b = { 0 };
	const char *body;
	size_t i, len;
	int r;

	*why = "the envelope has a COPY line"; /* limit does not count it */
	if (e->ncopy > 0)
		return REPLY_NO_RIGHT;
	*why = "BINARYMIME";
	if (envelope_param(&e->mail, "BODY", &body, &len) && body && len == strlen("BINARYMIME"))
		return REPLY_NO_BINARY;
	r = buf_printf(&b, "%s\n", e->mail.text);
	for (i = 0; r == 0 && i < e->nrcpt; i++)
		r = buf_printf(&b, "%s\n", e->rcpt[i].text);
	*fd = r == 0 ? msgfile_of(b.p, b.len) : -1;
	*why = strerror(errno);
	r = errno;
	buf_free(&b);
	return *fd < 0 ? reply_of_errno(r) : REPLY_OK;
}

static int
serve(struct call *call, void *arg)
{
	const struct envelope *e = call_envelope(call);
	int message = -1, envelope = -1, result;
	char user[USER_MAX + 1], uid[24];
	const char *why = NULL;
	enum reply r;

	if (!e)
		return call_failed(call, NULL);
	r = find_user(call, arg, user, &why);
	if (r == REPLY_OK && set_facts(call, user) < 0) {
		why = strerror(errno);
		r = REPLY_NO_MEMORY;
	}
	if (r == REPLY_OK)
		r = copy_envelope(e, &envelope, &why);
	if (r == REPLY_OK)
		r = copy_message(call, &message, &why);
	snprintf(uid, sizeof uid, "%lld", (long long)call->caller);
	if (r == REPLY_OK)
		log_event(&call->log, "done", "user", user, "uid", uid, (char *)NULL);
	else
		log_event(&call->log, "refused", "uid", uid, "reason", why, (char *)NULL);
	result = r == REPLY_OK ? call_next_with(call, message, envelope) : call_verdict(call, r, NULL);
	if (message >= 0)
		close(message);
	if (envelope >= 0)
		close(envelope);
	return result;
}

static int
option(void *arg, int letter, char *value, struct instance *i)
{
	(void)letter;
	((struct conf *)arg)->domain = value;
	return addr_is_domain(value, strlen(value)) ? 0 : stage_wrong(i, value, "not a domain");
}

const struct stage callerid_stage = {
	.name = "callerid",
	.kind = STAGE_MESSAGE,
	.next = STAGE_HANDS_ON,
	.needs_chain = true,
	.needs = STAGE_TEMPORARY | STAGE_PROGRAMS, /* the system's search for a user's name may need anything */
	.options = "d:",
	.usage = "[-d domain] " STAGE_USAGE " prog [arg ...]",
	.conf_size = sizeof(struct conf),
	.option = option,
	.serve = serve,
};
