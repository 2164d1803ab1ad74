/* ISC licence, see LICENSE. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "auth/credential.h"
#include "auth/saslprep.h"
#include "auth/userdb_edit.h"
#include "base/number.h"
#include "base/os.h"
#include "base/program.h"
#include "base/username.h"
#include "bulk.h"
#include "chain/limits.h"
#include "value.h"

#define complain(...) program_complain("msa-passwd", __VA_ARGS__)

enum { LINE_MAX_LEN = 4096, GENERATED = 26 }; /* 26 letters of 5 bits: 130 bits of entropy */

enum action { SET, GENERATE, IMPORT, DELETE, LOCK, UNLOCK, LIST, BULK, PRINT };

/* What the usage says after the name. */
static const char usage_words[] = "[-d | -e | -g | -L | -R] [-i iterations] [-m hashes] [-n label] users.cdb user"
    " | -b [-d] users.cdb | -l users.cdb | -x users.cdb";

static int
usage(void)
{
	fprintf(stderr, "usage: msa-passwd %s\n", usage_words);
	return CHAIN_MISUSE;
}

/*
 * Read a line of standard input without its end, an octet at a time: no password may stay in a buffer of stdio. Returns
 * 0, or -1: no line, or too long, or with a NUL.
 */
static int
read_line(char *line, size_t cap)
{
	size_t n = 0;
	ssize_t r;
	char c;

	while ((r = read(STDIN_FILENO, &c, 1)) == 1 && c != '\n' && c != '\0' && n < cap - 1)
		line[n++] = c;
	line[n] = '\0';
	if (n > 0 && line[n - 1] == '\r')
		line[--n] = '\0';
	return r < 0 || (r == 1 && c != '\n') || (r == 0 && n == 0) ? -1 : 0;
}

/* Ask on the terminal, without echo. Signals are blocked, so that none can leave the terminal without echo. */
static int
ask(const char *prompt, char *line, size_t cap)
{
	struct termios was, silent;
	sigset_t all, old;
	int r;

	if (tcgetattr(STDIN_FILENO, &was) < 0)
		return -1;
	silent = was;
	silent.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
	fputs(prompt, stderr);
	r = read_line(line, cap);
	fputc('\n', stderr);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return r;
}

/* Read the password, or the credential of -e. Returns 0, or an exit code. */
static int
get_secret(enum action what, char *line, size_t cap)
{
	char again[LINE_MAX_LEN];
	size_t len;
	int differ = 0;

	if (what == SET && isatty(STDIN_FILENO)) {
		if (ask("Password: ", line, cap) < 0 || ask("Again: ", again, sizeof again) < 0)
			return complain(CHAIN_MISUSE, "no password");
		differ = strcmp(line, again) != 0;
		explicit_bzero(again, sizeof again);
		if (differ)
			return complain(CHAIN_MISUSE, "the two passwords differ");
	} else if (read_line(line, cap) < 0)
		return complain(CHAIN_MISUSE, "no line on standard input");
	len = strlen(line);
	if (what == IMPORT)
		return 0;
	if (len < 1 || len > USERDB_PASSWORD_MAX)
		return complain(CHAIN_MISUSE, "a password has 1 to %d octets", USERDB_PASSWORD_MAX);
	return 0;
}

static int
generate(char *password)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
	unsigned char random[GENERATED];
	int i;

	if (os_random(random, sizeof random) < 0)
		return -1;
	for (i = 0; i < GENERATED; i++)
		password[i] = letters[random[i] & 31];
	password[GENERATED] = '\0';
	explicit_bzero(random, sizeof random);
	return 0;
}

/* Print "user label ..." for each user, never a hash. Returns 0, or -1 with errno set. */
static int
list(struct userdb_change *c)
{
	struct buf name = { 0 }, value = { 0 };
	unsigned pos = 0;
	int r;

	while ((r = userdb_change_next(c, &pos, &name, &value)) == 1) {
		const char *p = value.p;

		fputs(name.p, stdout);
		for (; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
			if (*p == '!')
				fputs("\t!locked", stdout);
			else
				printf("\t%.*s", (int)strcspn(p, ":\n"), p);
		putchar('\n');
	}
	buf_wipe(&name);
	buf_wipe(&value);
	return r < 0 || fflush(stdout) != 0 ? -1 : 0;
}

/* Make the user's new value. Returns 0, or an exit code. */
static int
change(enum action what, const struct buf *old, struct buf *value, const char *label, const char *credential)
{
	bool found = false;
	int r;

	if (what == LOCK || what == UNLOCK)
		r = value_lock(value, old, what == LOCK);
	else
		r = credential ? value_set(value, old, label, credential) : value_delete(value, old, label, &found);
	if (r < 0)
		return complain(CHAIN_LATER, "out of memory");
	if (what == DELETE && !found)
		return complain(CHAIN_MISUSE, "%s: no such label", label);
	if (value->len > USERDB_VALUE_MAX)
		return complain(CHAIN_MISUSE, "too many passwords for one user");
	return 0;
}

/*
 * Write the store with the value of one user changed, or without the user if value is NULL. The user's name becomes
 * lower case, unless another has it. Sets *changed if that was done. Returns an exit code.
 */
static int
commit(struct userdb_change *c, const char *path, const char *user, bool is_other, const struct buf *value,
    unsigned iterations, bool *changed)
{
	char folded[USERDB_NAME_MAX + 1];
	struct userdb_item item[2] = { { user, NULL }, { folded, value } }; /* a capital letter comes before a small one */
	enum userdb_commit r;
	bool one;

	username_fold(folded, user, strlen(user) + 1);
	one = !value || is_other || strcmp(folded, user) == 0;
	if (one)
		item[0].value = value;
	r = userdb_change_commit(c, item, one ? 1 : 2, false, iterations);
	*changed = r != USERDB_COMMIT_FAILED;
	if (r == USERDB_COMMIT_UNFLUSHED)
		return complain(CHAIN_LATER, "%s: changed, but a crash may undo it:", path);
	return r == USERDB_COMMIT_DONE ? CHAIN_DONE : complain(CHAIN_LATER, "%s:", path);
}

/* Print the store, or take a list for it. Returns an exit code. */
static int
whole(const char *path, enum action what, bool only)
{
	struct userdb_change c;
	struct bulk_count count = { 0 };
	enum userdb_commit made = USERDB_COMMIT_DONE;
	const char *why;
	int r;

	if (userdb_change_begin(&c, path, &why) < 0)
		return why ? complain(CHAIN_MISUSE, "%s: %s", path, why) : complain(CHAIN_LATER, "%s:", path);
	if (what != BULK && !c.exists) {
		userdb_change_end(&c);
		return complain(CHAIN_MISUSE, "%s: no such store", path);
	}
	r = what == LIST ? list(&c) : what == PRINT ? bulk_print(&c) : bulk_take(&c, STDIN_FILENO, only, &count, &made);
	userdb_change_end(&c);
	if (r < 0)
		return complain(CHAIN_LATER, "%s:", path);
	if (r > 0)
		return complain(CHAIN_MISUSE, "%s: nothing was changed", path);
	if (what == BULK && printf("added %zu, changed %zu, removed %zu, unchanged %zu\n", count.added, count.changed,
	    count.removed, count.same) > 0)
		r = fflush(stdout);
	if (made == USERDB_COMMIT_UNFLUSHED)
		return complain(CHAIN_LATER, "%s: changed, but a crash may undo it:", path);
	return r == 0 ? CHAIN_DONE : complain(CHAIN_LATER, "standard output:");
}

/* Change one user in the store. Sets *changed if that was done. Returns an exit code. */
static int
edit(const char *path, enum action what, const char *user, const char *label, const char *credential,
    unsigned iterations, bool *changed)
{
	struct userdb_change c;
	struct buf old = { 0 }, value = { 0 }, other = { 0 };
	const char *why;
	int r, found = 0, similar = 0;

	if (userdb_change_begin(&c, path, &why) < 0)
		return why ? complain(CHAIN_MISUSE, "%s: %s", path, why) : complain(CHAIN_LATER, "%s:", path);
	if ((found = userdb_change_get(&c, user, &old)) < 0 || (similar = userdb_change_similar(&c, user, &other)) < 0)
		r = complain(CHAIN_LATER, "%s:", path);
	else if (similar && !(found && (what == DELETE || what == LOCK)))
		r = complain(CHAIN_MISUSE, "%s: the store has %s, and two names must not differ by case only", user, other.p);
	else if (!found && !credential)
		r = complain(CHAIN_MISUSE, c.exists ? "%s: no such user" : "%s: no such store", c.exists ? user : path);
	else
		r = what == DELETE && !label ? CHAIN_DONE : change(what, &old, &value, label ? label : "main", credential);
	if (r == CHAIN_DONE)
		r = commit(&c, path, user, similar, what == DELETE && !label ? NULL : &value, iterations, changed);
	buf_wipe(&old);
	buf_wipe(&value);
	buf_wipe(&other);
	userdb_change_end(&c);
	return r;
}

/* The store's iterations, so that -i is needed only once, and unknown users look like known ones. */
static unsigned
iterations_of(const char *path)
{
	struct userdb db;
	const char *why;
	unsigned n = USERDB_ITERATIONS;

	if (userdb_open(&db, path, &why) == 0) {
		n = db.iterations;
		userdb_close(&db);
	}
	return n;
}

/* Parse names of hashes with commas between into a bit for each. Returns 0, or -1. */
static int
read_hashes(unsigned *hashes, const char *s)
{
	size_t i, n;

	for (*hashes = 0;; s += n + 1) {
		n = strcspn(s, ",");
		for (i = 0; i < CREDENTIAL_HASHES; i++)
			if (n == strlen(credential_hashes[i].word) && strncmp(s, credential_hashes[i].word, n) == 0)
				break;
		if (i == CREDENTIAL_HASHES)
			return -1;
		*hashes |= 1U << i;
		if (!s[n])
			return 0;
	}
}

/* Make verifiers of the password as SASLprep makes it. Returns 0, or an exit code. */
static int
make_scram(struct buf *credential, const char *password, unsigned iterations, unsigned hashes)
{
	char prepared[SASLPREP_MAX];
	ssize_t n = saslprep(prepared, password, strlen(password));
	int r = 0;

	if (n < 0 && errno == EINVAL)
		r = complain(CHAIN_MISUSE, "the password is not UTF-8, or has a character that RFC 4013 prohibits");
	else if (n < 0 || userdb_make_scram(credential, prepared, (size_t)n, iterations, hashes) < 0)
		r = complain(CHAIN_LATER, "password:");
	explicit_bzero(prepared, sizeof prepared);
	return r;
}

/* Make the credential to store. Returns 0, or an exit code; the caller wipes credential and password in any case. */
static int
make(enum action what, struct buf *credential, char *password, unsigned iterations, unsigned hashes)
{
	char line[LINE_MAX_LEN];
	int r = 0;

	if (what == GENERATE) {
		if (generate(password) < 0 || userdb_make_random(credential, password, strlen(password)) < 0)
			r = complain(CHAIN_LATER, "password:");
		return r;
	}
	r = get_secret(what, line, sizeof line);
	if (r == 0 && what == SET)
		r = make_scram(credential, line, iterations, hashes ? hashes : 1);
	else if (r == 0 && userdb_import(credential, line) < 0)
		r = errno == EINVAL ? complain(CHAIN_MISUSE, "not a credential: see msa-passwd(8)") :
		    complain(CHAIN_LATER, "password:");
	explicit_bzero(line, sizeof line);
	return r;
}

int
main(int argc, char *argv[])
{
	enum action what = SET;
	const char *label = NULL;
	char name[USERDB_NAME_MAX + 1] = "", password[GENERATED + 1];
	struct buf credential = { 0 };
	long long iterations = 0;
	unsigned hashes = 0;
	bool changed = false, only = false;
	int c, actions = 0, r = 0;

	if (program_answers("msa-passwd", usage_words, argc, argv))
		return 0;
	os_undumpable(); /* no core with a password in it */
	while ((c = getopt(argc, argv, "+bdegi:lLm:n:Rx")) != -1) {
		switch (c) {
		case 'i':
			if (number_parse(optarg, CREDENTIAL_ITERATIONS_MIN, CREDENTIAL_ITERATIONS_MAX, &iterations) < 0)
				return complain(CHAIN_MISUSE, "-i %s: not a number from %d to %d", optarg,
				    CREDENTIAL_ITERATIONS_MIN, CREDENTIAL_ITERATIONS_MAX);
			break;
		case 'm':
			if (read_hashes(&hashes, optarg) < 0)
				return complain(CHAIN_MISUSE, "-m %s: not sha256, sha512 or sha1, or some of them with commas between", optarg);
			break;
		case 'n':
			label = optarg;
			if (!userdb_is_label(label))
				return complain(CHAIN_MISUSE, "a label is 1 to %d letters, digits, . _ -", USERDB_LABEL_MAX);
			break;
		case '?':
			return usage();
		default:
			if ((what == BULK && c == 'd') || (what == DELETE && c == 'b' && actions == 1)) {
				only = true;
				what = BULK;
				break;
			}
			actions++;
			what = c == 'b' ? BULK : c == 'd' ? DELETE : c == 'e' ? IMPORT : c == 'g' ? GENERATE : c == 'l' ? LIST :
			    c == 'L' ? LOCK : c == 'x' ? PRINT : UNLOCK;
		}
	}
	if (actions > 1 || argc - optind != (what >= LIST ? 1 : 2) || (what >= LIST && iterations > 0) ||
	    (label && what >= LOCK) || (what == GENERATE && !label) || (hashes && what != SET))
		return usage();
	if (what >= LIST)
		return whole(argv[optind], what, only);
	if (userdb_name(name, argv[optind + 1], strlen(argv[optind + 1])) < 0)
		return complain(CHAIN_MISUSE, "a user's name is 1 to %d octets of UTF-8, no control characters, no space at the ends",
		    USERDB_NAME_MAX);
	if (what == SET || what == IMPORT || what == GENERATE)
		r = make(what, &credential, password, iterations ? (unsigned)iterations : iterations_of(argv[optind]), hashes);
	if (r == 0)
		r = edit(argv[optind], what, name, label, credential.p, (unsigned)iterations, &changed);
	if (changed && what == GENERATE && (puts(password) < 0 || fflush(stdout) != 0))
		r = complain(CHAIN_LATER, "standard output:");
	buf_wipe(&credential);
	explicit_bzero(password, sizeof password);
	return r;
}
