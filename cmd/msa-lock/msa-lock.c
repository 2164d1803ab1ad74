/* ISC licence, see LICENSE. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth/lockout.h"
#include "auth/userdb_name.h"
#include "base/file.h"
#include "base/process.h"
#include "base/program.h"
#include "base/username.h"
#include "chain/limits.h"

#define complain(...) program_complain("msa-lock", __VA_ARGS__)

enum { SPOOLS_MAX = 16 };

/* What the usage says after the name. */
static const char usage_words[] = "[-u] [-s spool] directory user";

static int
usage(void)
{
	fprintf(stderr, "usage: msa-lock %s\n", usage_words);
	return CHAIN_MISUSE;
}

/* Make a pattern of msa-spool that only the user's name matches. */
static void
make_pattern(char pattern[2 * USERDB_NAME_MAX + 1], const char *user)
{
	for (; *user; *pattern++ = *user++)
		if (strchr("*?[\\", *user))
			*pattern++ = '\\';
	*pattern = '\0';
}

/* Start msa-spool with its output in a pipe. Returns its pid, and the pipe in *out; or -1 with errno set. */
static pid_t
start(char *const argv[], FILE **out)
{
	int fd[2];
	pid_t pid;

	if (pipe(fd) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		dup2(fd[1], STDOUT_FILENO);
		close(fd[0]);
		close(fd[1]);
		program_exec(argv);
		complain(CHAIN_LATER, "%s:", argv[0]);
		_exit(CHAIN_LATER);
	}
	close(fd[1]);
	*out = pid < 0 ? NULL : fdopen(fd[0], "r");
	if (!*out)
		close(fd[0]);
	return pid;
}

/* Hold the user's messages in a spool, or count those that are held, and say so. Returns an exit code. */
static int
look_after(char *spool, const char *user, bool unlock)
{
	char pattern[2 * USERDB_NAME_MAX + 1], program[] = "msa-spool", hold[] = "hold", list[] = "list", u[] = "-u",
	    s[] = "-s", held[] = "held";
	char *const holding[] = { program, hold, u, pattern, spool, NULL };
	char *const listing[] = { program, list, u, pattern, s, held, spool, NULL };
	size_t n = 0;
	FILE *out = NULL;
	pid_t pid;
	int c, status;

	make_pattern(pattern, user);
	fflush(stdout);
	pid = start(unlock ? listing : holding, &out);
	if (pid < 0)
		return complain(CHAIN_LATER, "msa-spool:");
	while (out && (c = getc(out)) != EOF) {
		putchar(c);
		n += c == '\n';
	}
	if (out)
		fclose(out);
	status = process_reap(pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return complain(CHAIN_LATER, "%s: msa-spool has failed, so not all messages may be held", spool);
	printf("%s: %s%zu\n", spool, unlock ? "messages that are still held: " : "messages held: ", n);
	if (unlock && n > 0 && strchr(user, '\'')) /* it would end the quotes below */
		printf("msa-spool release and msa-spool remove, see msa-spool(8), take their user by -u and -s held\n");
	else if (unlock && n > 0)
		printf("Let them go:  msa-spool release -u '%s' -s held %s\nThrow them away:  msa-spool remove -u '%s' -s held %s\n",
		    pattern, spool, pattern, spool);
	return CHAIN_DONE;
}

/* Lock or unlock the user, and say so. Returns an exit code. */
static int
set(const char *path, const char *user, bool unlock)
{
	const char *why;
	int directory = file_open_directory(path, false, &why), r;

	if (directory < 0)
		return complain(errno == EPERM ? CHAIN_MISUSE : CHAIN_LATER, "%s: %s", path, why);
	r = unlock ? lockout_remove(directory, user) : lockout_add(directory, user);
	close(directory);
	if (r < 0)
		return complain(CHAIN_LATER, "%s:", path);
	if (unlock && r == 0)
		return complain(CHAIN_MISUSE, "%s: was not locked", user);
	printf("%s: %s\n", user, unlock ? "may log in and send again" :
	    r == 0 ? "was locked already" : "locked: no login, and no further message in sessions that are open");
	if (!unlock && !strchr(user, '@'))
		printf("This name has no domain. With authd -r a user has one, and the log shows it.\n");
	return CHAIN_DONE;
}

int
main(int argc, char *argv[])
{
	char user[USERDB_NAME_MAX + 1], *spool[SPOOLS_MAX];
	size_t spools = 0, i;
	bool unlock = false;
	int c, r, one;

	if (program_answers("msa-lock", usage_words, argc, argv))
		return 0;
	while ((c = getopt(argc, argv, "+s:u")) != -1)
		if (c == 'u')
			unlock = true;
		else if (c == 's' && spools < SPOOLS_MAX)
			spool[spools++] = optarg;
		else
			return usage();
	if (argc - optind != 2)
		return usage();
	if (userdb_name(user, argv[optind + 1], strlen(argv[optind + 1])) < 0)
		return complain(CHAIN_MISUSE, "not a user's name");
	username_fold(user, user, strlen(user));
	r = set(argv[optind], user, unlock);
	for (i = 0; r == CHAIN_DONE && i < spools; i++) {
		one = look_after(spool[i], user, unlock);
		r = one != CHAIN_DONE ? one : r;
	}
	if (fflush(stdout) != 0 && r == CHAIN_DONE)
		r = complain(CHAIN_LATER, "standard output:");
	return r;
}
