/* ISC licence, see LICENSE. */
#include "auth/passcache.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

enum { AGE_MS = 1000 };

/* A store's file, all of whose fields one letter decides. */
static struct table_file
file_of(char letter)
{
	struct table_file f = { .dev = 1, .ino = 2, .size = 3, .mtime = { 4, 5 }, .ctime = { 6, 7 } };

	switch (letter) {
	case 'd':
		f.dev++;
		break;
	case 'i':
		f.ino++;
		break;
	case 's':
		f.size++;
		break;
	case 'm':
		f.mtime.tv_sec++;
		break;
	case 'n':
		f.mtime.tv_nsec++;
		break;
	case 'c':
		f.ctime.tv_nsec++;
		break;
	}
	return f;
}

/* Does a login count after a child has added it, and after a child that adds was killed? */
static void
share(struct passcache *c, const struct passcache_login *login)
{
	char label[USERDB_LABEL_MAX + 1];
	struct passcache_login other = *login;
	int i, wrong = 0, status;
	pid_t pid = fork();

	if (pid == 0) {
		passcache_add(c, login, 0, "child");
		_exit(0);
	}
	waitpid(pid, &status, 0);
	printf("%s", passcache_find(c, login, 0, label) ? label : "no");
	pid = fork();
	if (pid == 0)
		for (i = 0;; i++)
			passcache_add(c, login, 0, i % 2 ? "one" : "another");
	for (i = 0; i < 20000; i++) { /* what is found is whole */
		if (passcache_find(c, login, 0, label))
			wrong += strcmp(label, "child") != 0 && strcmp(label, "one") != 0 && strcmp(label, "another") != 0;
		passcache_add(c, login, 0, "one");
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	other.user = "other";
	passcache_add(c, login, 0, "mine");
	passcache_add(c, &other, 0, "other");
	printf(" %d %s", wrong, passcache_find(c, login, 0, label) ? label : "no");
	printf(" %s", passcache_find(c, &other, 0, label) ? label : "no");
}

/* Change each octet of the entry in the first slot, one after another. Prints how many changes left the login right. */
static void
damage(struct passcache *c, const struct passcache_login *login, const char *label)
{
	struct passcache_slot *s = &c->slot[0];
	char got[USERDB_LABEL_MAX + 1];
	int i, bit, right = 0;

	for (i = 0; i < PASSCACHE_WORDS; i++)
		for (bit = 0; bit < 64; bit++) {
			passcache_clear(c);
			passcache_add(c, login, 0, label);
			atomic_fetch_xor(&s->word[i], 1ULL << bit);
			right += passcache_find(c, login, 0, got);
		}
	printf("%d", right);
}

/*
 * A cache of one set whose entries count for 1000 ms. Lines: "add MS FILE USER PASSWORD LABEL", "find MS FILE USER
 * PASSWORD", "clear", "share FILE USER PASSWORD", "damage FILE USER PASSWORD LABEL", "key" (another cache has another
 * one); answered with "ok", the label, or "no".
 */
int
unit_passcache(int argc, char **argv)
{
	struct passcache *c = passcache_new(1, AGE_MS), *second = passcache_new(1, AGE_MS);
	char label[USERDB_LABEL_MAX + 1], *s, *raw;
	size_t n;

	(void)argc;
	(void)argv;
	while (c && second && (s = unit_line(&n, &raw))) {
		char verb[16] = "", file = '-', user[64] = "", pass[64] = "", name[USERDB_LABEL_MAX + 1] = "";
		long long ms = 0;
		struct table_file f;
		struct passcache_login login = { .store = &f, .user = user, .password = pass };

		if (sscanf(s, "%15s %lld %c %63s %63s %64s", verb, &ms, &file, user, pass, name) < 2)
			sscanf(s, "%15s %c %63s %63s %64s", verb, &file, user, pass, name);
		f = file_of(file);
		login.len = strlen(pass);
		printf("%s => ", raw);
		if (strcmp(verb, "add") == 0) {
			passcache_add(c, &login, ms, name);
			fputs("ok", stdout);
		} else if (strcmp(verb, "find") == 0)
			fputs(passcache_find(c, &login, ms, label) ? label : "no", stdout);
		else if (strcmp(verb, "share") == 0)
			share(c, &login);
		else if (strcmp(verb, "damage") == 0)
			damage(c, &login, name);
		else if (strcmp(verb, "key") == 0)
			fputs(memcmp(c->key, second->key, sizeof c->key) ? "ok" : "no", stdout);
		else {
			passcache_clear(c);
			fputs("ok", stdout);
		}
		putchar('\n');
		free(s);
		free(raw);
	}
	return 0;
}
