/* ISC licence, see LICENSE. */
#include "auth/penalty.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "unit.h"

enum { SOON = 1790000000, WORDS = 5, HAMMERS = 4000, KILLS = 40, LISTED = 100, ROAM_USERS = 100 };

static void
show(const struct penalty_verdict *v)
{
	static const char *const names[] = { "free", "slow", "refuse", "shut" };

	printf("%s", names[v->level]);
	if (v->level == PENALTY_SLOW)
		printf(" %d", v->delay_ms);
	if (v->level > PENALTY_SLOW)
		printf(" %s%s%u%s", v->net, *v->net ? " " : "", v->score, v->blocked ? " blocked" : "");
}

/*
 * The guesses of a program at so many addresses of a /24 that tries whenever it may, each address once a second, for
 * some hours. Each guess is another one.
 */
static void
siege(const struct penalty *p, int addresses, int hours, int64_t now)
{
	char password[32], ip[32];
	int h, s, i, tried, all = 0;

	for (h = 0; h < hours; h++) {
		for (s = tried = 0; s < 3600; s++, now++)
			for (i = 0; i < addresses; i++) {
				struct penalty_verdict v;
				struct penalty_proof proof;
				struct ipaddr a;

				snprintf(ip, sizeof ip, "192.0.2.%d", i);
				ipaddr_parse(&a, ip);
				penalty_look(p, &a, now, &v);
				if (v.level >= PENALTY_REFUSE)
					continue;
				snprintf(password, sizeof password, "%d", all++);
				penalty_prove(p, &proof, "alice", password, strlen(password));
				tried += penalty_wrong(p, &a, "alice", &proof, now);
			}
		printf("%s%d", h ? " " : "", tried);
	}
}

/* Two processes add to one score at once. */
static void
hammer(const struct penalty *p, const struct ipaddr *a, int64_t now)
{
	struct penalty_verdict v;
	pid_t pid = fork();
	int i;

	for (i = 0; i < HAMMERS; i++)
		penalty_add(p, a, PENALTY_NOTHING, now);
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	penalty_look(p, a, now, &v);
	show(&v);
}

/* Processes are killed while they change what a few sets have. The scores stay within their bounds. */
static void
slaughter(const struct penalty *p, int64_t now)
{
	struct penalty_entry e;
	struct penalty_proof none = { 0 };
	size_t at = 0;
	int k, bad = 0;

	for (k = 0; k < KILLS; k++) {
		int fd[2];
		pid_t pid;
		char c;

		if (pipe(fd) < 0 || (pid = fork()) < 0)
			return;
		if (pid == 0) {
			unsigned i;

			for (i = 0;; i++) {
				struct ipaddr a = ipaddr_from_octets(AF_INET, (unsigned char[4]){ 10, i >> 16 & 255, i >> 8 & 255, i & 255 });

				penalty_wrong(p, &a, "bob", &none, now);
				if (i == 500 && write(fd[1], "", 1) < 0)
					_exit(1);
			}
		}
		if (read(fd[0], &c, 1) != 1)
			bad++;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		close(fd[0]);
		close(fd[1]);
	}
	while (penalty_next(p, &at, now, &e))
		bad += e.score > 1200 * PENALTY_POINT || strncmp(e.net, "10.", 3) != 0;
	printf("%d", bad);
}

static int
compare(const void *a, const void *b)
{
	return strcmp(((const struct penalty_entry *)a)->net, ((const struct penalty_entry *)b)->net);
}

/* round: in whole wrong passwords, which are the same a little later. */
static void
list(const struct penalty *p, int64_t now, bool round)
{
	struct penalty_entry e[LISTED];
	size_t at = 0, n = 0, i;

	while (n < LISTED && penalty_next(p, &at, now, &e[n]))
		n++;
	qsort(e, n, sizeof *e, compare);
	for (i = 0; round && i < n; i++)
		printf("%s%s %u", i ? ", " : "", e[i].net, (e[i].score + PENALTY_POINT - 1) / PENALTY_POINT);
	for (i = 0; !round && i < n; i++)
		printf("%s%s %u %d %lld", i ? ", " : "", e[i].net, e[i].score, (int)e[i].level,
		    e[i].until ? (long long)(e[i].until - now) : 0LL);
}

static struct ipaddr
address(int net, int host)
{
	return ipaddr_from_octets(AF_INET, (unsigned char[4]){ 10, 0, (unsigned char)net, (unsigned char)host });
}

/*
 * Users log in at home, each in a /24. Later one user logs in from 65,536 nets of so many bits, and then all users are
 * guessed, and there are guessers beside all homes. Where a home is in the table is chance: say whether most are known.
 */
static void
roam(const struct penalty *p, int bits, int64_t now)
{
	const struct penalty_proof none = { 0 };
	struct penalty_verdict v;
	char user[16];
	int i, k, users = 0, hosts = 0;

	for (i = 0; i < ROAM_USERS; i++) {
		struct ipaddr home = address(i, 1);

		snprintf(user, sizeof user, "user%d", i);
		penalty_right(p, &home, user, now);
	}
	now += 3600;
	for (i = 0; i < 65536; i++) {
		unsigned char o[16] = { 0x20, 1, 0x0d, 0xb8 };
		struct ipaddr a;

		o[bits / 8 - 2] = (unsigned char)(i >> 8);
		o[bits / 8 - 1] = (unsigned char)i;
		a = ipaddr_from_octets(AF_INET6, o);
		penalty_right(p, &a, "mallory", now);
	}
	for (i = 0; i < ROAM_USERS; i++) {
		struct ipaddr home = address(i, 1);

		snprintf(user, sizeof user, "user%d", i);
		for (k = 0; k < 150; k++) {
			struct ipaddr beside = address(i, 2 + k);

			penalty_wrong(p, &beside, user, &none, now);
		}
		penalty_look_user(p, &home, user, now, &v);
		users += v.level == PENALTY_FREE;
		penalty_look(p, &home, now, &v);
		hosts += v.level == PENALTY_FREE;
	}
	printf("%s, %s", users > ROAM_USERS * 3 / 4 ? "kept" : "lost", hosts > ROAM_USERS * 3 / 4 ? "kept" : "lost");
}

static void
act(const struct penalty *p, char *word[WORDS], int64_t *now)
{
	struct penalty_proof proof = { 0 };
	struct penalty_verdict v;
	struct ipaddr a = { { 0 } };
	enum penalty_net net = PENALTY_HOST;
	int i, n = word[3] ? atoi(word[3]) : 1;
	char text[32];

	if (strcmp(word[0], "later") == 0 && word[1]) {
		*now += atoll(word[1]);
		return;
	}
	if (strcmp(word[0], "today") == 0)
		*now = time(NULL);
	else if (strcmp(word[0], "list") == 0 || strcmp(word[0], "tally") == 0)
		list(p, *now, *word[0] == 't');
	else if (strcmp(word[0], "points") == 0)
		printf("%u", (penalty_user_score(p, word[1], *now) + PENALTY_POINT - 1) / PENALTY_POINT);
	else if (strcmp(word[0], "siege") == 0)
		siege(p, atoi(word[1]), atoi(word[2]), *now);
	else if (strcmp(word[0], "roam") == 0)
		roam(p, atoi(word[1]), *now);
	else if (strcmp(word[0], "kill") == 0)
		slaughter(p, *now);
	else if (strcmp(word[0], "wait") == 0 && word[3])
		printf("%d", penalty_wait(p, atoi(word[3]), (unsigned)atoi(word[2]), atoll(word[1])));
	else if (strcmp(word[0], "waited") == 0)
		penalty_waited(p, atoi(word[1]));
	else if (strcmp(word[0], "forget") == 0)
		printf("%d", penalty_clear_user(p, word[1]));
	else if (strcmp(word[0], "score") == 0)
		printf("%u", penalty_user_score(p, word[1], *now));
	else if (penalty_net_parse(word[1], &a, &net) < 0)
		printf("not a net");
	else if (strcmp(word[0], "look") == 0) {
		penalty_look(p, &a, *now, &v);
		show(&v);
	} else if (strcmp(word[0], "user") == 0) {
		penalty_look_user(p, &a, word[2], *now, &v);
		show(&v);
	} else if (strcmp(word[0], "wrong") == 0) {
		penalty_prove(p, &proof, word[2], word[3], strlen(word[3]));
		printf("%s", penalty_wrong(p, &a, word[2], &proof, *now) ? "counted" : "the same");
	} else if (strcmp(word[0], "scram") == 0)
		for (i = 0; i < n; i++)
			penalty_wrong(p, &a, word[2], &proof, *now);
	else if (strcmp(word[0], "guess") == 0)
		for (i = 0; i < n; i++) {
			snprintf(text, sizeof text, "%d", i);
			penalty_prove(p, &proof, word[2], text, strlen(text));
			penalty_wrong(p, &a, word[2], &proof, *now);
		}
	else if (strcmp(word[0], "right") == 0)
		penalty_right(p, &a, word[2], *now);
	else if (strcmp(word[0], "deed") == 0)
		for (i = 0; i < n; i++)
			penalty_add(p, &a, strcmp(word[2], "stalled") == 0 ? PENALTY_STALLED : strcmp(word[2], "broken") == 0 ?
			    PENALTY_BROKEN : PENALTY_NOTHING, *now);
	else if (strcmp(word[0], "clear") == 0)
		printf("%d", penalty_clear(p, &a, net));
	else if (strcmp(word[0], "block") == 0)
		printf("%d", penalty_block(p, &a, net, *now + atoll(word[2]), *now));
	else if (strcmp(word[0], "hammer") == 0)
		hammer(p, &a, *now);
}

/* penalty [directory]: lines of words. The time stands still but for "later", and "today". */
int
unit_penalty(int argc, char **argv)
{
	struct penalty p;
	const char *why = "";
	int64_t now = SOON;
	char *line;
	size_t len;
	int r = argc > 1 ? penalty_open(&p, argv[1], &why) : penalty_share(&p);

	if (r != 0)
		printf("%s\n", r < 0 ? why : "replaced");
	while (r >= 0 && (line = unit_line(&len, NULL))) {
		char *word[WORDS] = { NULL }, *rest = line;
		int n;

		printf("%s => ", line);
		fflush(stdout);
		for (n = 0; n < WORDS && (word[n] = strtok_r(rest, " ", &rest)); n++)
			;
		if (word[0] && (word[1] || strchr("lkt", *word[0]))) /* list, kill, tally, today */
			act(&p, word, &now);
		printf("\n");
		fflush(stdout);
		free(line);
	}
	if (r >= 0)
		penalty_close(&p);
	return r < 0;
}
