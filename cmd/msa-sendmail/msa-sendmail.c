/* ISC licence, see LICENSE. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/os.h"
#include "base/program.h"
#include "chain/limits.h"
#include "chain/offer.h"
#include "letter.h"
#include "request.h"
#include "smtp/addr.h"

/* sendmail for the programs of this machine: the message goes to the site's message chain, in the user's name. */

static const char spool[] = "/var/spool/msa", mailname[] = "/etc/mailname";

/* Find the domain of this machine's users: that of -D, the one in /etc/mailname, or the machine's name. */
static int
find_domain(const struct submission *s, const struct request *q, char domain[ADDR_DOMAIN_MAX + 1])
{
	char line[ADDR_DOMAIN_MAX + 2] = "", host[256];
	const char *name = q->domain;
	FILE *file;

	if (!name && (file = fopen(mailname, "re"))) {
		if (fgets(line, sizeof line, file))
			line[strcspn(line, " \t\r\n")] = '\0';
		fclose(file);
	}
	if (!name)
		name = *line ? line : offer_host(&s->call.facts, host, sizeof host);
	if (strlen(name) > ADDR_DOMAIN_MAX || !addr_is_domain(name, strlen(name)))
		return submission_wrong(s, EX_CONFIG, name, "not the domain of this machine's users: write it to /etc/mailname");
	memcpy(domain, name, strlen(name) + 1);
	return EX_OK;
}

/* The address of the user who runs this program. The system says who that is; the environment does not count. */
static int
find_user(const struct submission *s, const char *domain, char user[ADDR_MAILBOX_MAX + 1])
{
	char text[ADDR_LOCAL_MAX + ADDR_MAILBOX_MAX + 4], uid[24];
	const struct passwd *pw;
	struct addr a;

	snprintf(uid, sizeof uid, "uid %lld", (long long)getuid());
	errno = 0;
	pw = getpwuid(getuid());
	if (!pw && errno != 0 && errno != ENOENT && errno != ESRCH)
		return submission_failed(s, EX_TEMPFAIL, uid);
	if (!pw)
		return submission_wrong(s, EX_NOUSER, uid, "no user has it");
	snprintf(text, sizeof text, "%.*s@%s", ADDR_LOCAL_MAX + 1, pw->pw_name, domain);
	if (addr_mailbox(text, strlen(text), &a) < 0)
		return submission_wrong(s, EX_NOUSER, pw->pw_name, "the name of a user that cannot be part of an address");
	snprintf(user, ADDR_MAILBOX_MAX + 1, "%s", a.text);
	return EX_OK;
}

/* Set the sender: that of -f, perhaps null, or the user. sender has room for it. */
static int
find_sender(struct submission *s, const struct request *q, const char *domain, const char *user,
    char sender[ADDR_MAILBOX_MAX + 1])
{
	struct submission one;
	int r;

	snprintf(sender, ADDR_MAILBOX_MAX + 1, "%s", q->sender ? "" : user);
	s->sender = sender;
	if (!q->sender || !*q->sender || strcmp(q->sender, "<>") == 0)
		return EX_OK;
	submission_init(&one, s->name);
	one.errors = s->errors;
	r = letter_addresses(&one, q->sender, strlen(q->sender), domain, "-f");
	if (r == EX_OK && one.n != 1)
		r = submission_wrong(s, EX_USAGE, "-f", "not one address");
	if (r == EX_OK)
		snprintf(sender, ADDR_MAILBOX_MAX + 1, "%s", one.rcpt[0]);
	submission_free(&one);
	return r;
}

static int
send_message(struct submission *s, const struct request *q, const char *domain, const char *user)
{
	char sender[ADDR_MAILBOX_MAX + 1], mail[300], rcpt[100];
	char *words[] = { (char *)q->chain, NULL };
	char *const *word;
	int r = find_sender(s, q, domain, user, sender);

	snprintf(mail, sizeof mail, "%s%s%s%s", q->ret ? " RET=" : "", q->ret ? q->ret : "", q->envid ? " ENVID=" : "",
	    q->envid ? q->envid : "");
	snprintf(rcpt, sizeof rcpt, "%s%s", q->notify ? " NOTIFY=" : "", q->notify ? q->notify : "");
	s->mail_params = mail;
	s->rcpt_params = rcpt;
	s->next = next_parse(words);
	for (word = q->rcpts; r == EX_OK && *word; word++)
		r = letter_addresses(s, *word, strlen(*word), domain, *word);
	if (r == EX_OK && s->n == 0 && !q->by_header)
		r = submission_wrong(s, EX_USAGE, "no recipient", "name one, or give -t for those in the header");
	if (r == EX_OK)
		r = letter_read(s, q->dot_is_text);
	if (r == EX_OK)
		r = letter_complete(s, q->by_header, domain, q->full_name, *sender ? sender : user);
	if (r == EX_OK && s->n == 0)
		r = submission_wrong(s, EX_USAGE, "no recipient", "none in To, Cc and Bcc");
	if (r == EX_OK)
		r = submission_run(s);
	s->mail_params = s->rcpt_params = s->sender = ""; /* they were ours */
	return r;
}

/* Become another program. Returns the exit code if that fails. */
static int
become(const struct submission *s, char *const argv[])
{
	program_exec(argv);
	return submission_failed(s, EX_TEMPFAIL, argv[0]);
}

/* Send a message, or hold a session, in the name of the user. */
static int
serve(struct submission *s, const struct request *q)
{
	char domain[ADDR_DOMAIN_MAX + 1], user[ADDR_MAILBOX_MAX + 1];
	char *session[] = { (char *)"submitd", (char *)q->chain, NULL };
	int r;

	if (facts_from_environ(&s->call.facts) < 0)
		return submission_failed(s, EX_TEMPFAIL, "environment");
	facts_claim(&s->call.facts, FACTS_OPERATOR); /* a user's environment states nothing about a session or a site */
	if (access(q->chain, X_OK) < 0)
		return submission_failed(s, EX_CONFIG, q->chain);
	if ((r = find_domain(s, q, domain)) != EX_OK || (r = find_user(s, domain, user)) != EX_OK)
		return r;
	if (facts_set(&s->call.facts, "SMTPAUTHUSER", user) < 0)
		return submission_failed(s, EX_TEMPFAIL, "environment");
	if (q->mode == REQUEST_SEND)
		return send_message(s, q, domain, user);
	if (facts_to_environ(&s->call.facts) < 0)
		return submission_failed(s, EX_TEMPFAIL, "environment");
	return become(s, session);
}

/*
 * The log of the chain goes to syslog, because what a mail program's user sees is standard error. Messages of ours stay
 * there.
 */
static int
send_log_away(struct submission *s)
{
	int copy = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, CHAIN_FD_ENVELOPE + 1), null = open("/dev/null", O_RDWR | O_CLOEXEC);
	FILE *errors = copy < 0 ? NULL : fdopen(copy, "w");
	bool done = null >= 0 && errors && dup2(null, STDERR_FILENO) >= 0;

	if (null >= 0)
		close(null);
	if (!done)
		return submission_failed(s, EX_TEMPFAIL, "/dev/null");
	s->errors = errors;
	setvbuf(errors, NULL, _IOLBF, 0);
	return EX_OK;
}

int
main(int argc, char *argv[])
{
	char *list[] = { (char *)"msa-spool", (char *)"list", (char *)spool, NULL };
	struct submission s;
	struct request q;
	int r;

	if (program_answers("msa-sendmail", request_usage, argc, argv))
		return EX_OK;
	submission_init(&s, "msa-sendmail");
	r = request_read(&q, argc, argv, stderr);
	os_signals_default();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (r == EX_OK && os_fill_standard() < 0)
		r = submission_failed(&s, EX_TEMPFAIL, "/dev/null");
	if (r != EX_OK || q.mode == REQUEST_NOTHING)
		return r;
	if (q.mode == REQUEST_LIST)
		return become(&s, list);
	os_close_inherited(CHAIN_FD_ENVELOPE);
	if (!q.is_verbose && q.mode == REQUEST_SEND)
		r = send_log_away(&s);
	if (r == EX_OK) {
		log_open(&s.call.log, "msa-sendmail", -1);
		r = serve(&s, &q);
	}
	submission_free(&s);
	return r;
}
