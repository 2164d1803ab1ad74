/* ISC licence, see LICENSE. */
/*
 * Hold a scripted conversation with a program, or with a server, and print what it says.
 *
 * usage: talk [-p] [-2] [-x] [-t seconds] [-3 file] program [arg ...] <script
 *        talk [-t seconds] -c address:port <script
 *
 * The program's fds 0 and 1 are one socket; -p: two pipes; -2: fd 2 is that socket too (as under inetd).
 * -3 file: the program inherits file as fd 3. -x prints "exit N" at the end, less the signal if one ended the program.
 * -t: the time that anything may take (90). Script, a line each:
 *     > text       send text and CR LF
 *     >> text      send text with the escapes \r \n \0 \\ \xHH, nothing added
 *     file name    send what is in the file, nothing added
 *     <            read one reply (to its line without hyphen) and print it
 *     <<           read to the end and print it
 *     tls          start TLS as a client (any certificate)
 *     shut         end our direction       close    end both
 *     sleep s      wait                    # text   comment
 *     until file text   wait until the text is in the file
 *     waits file line   wait until the line is in the file; with another last word than that, end
 *                       (tests/preload/clock.c)
 *     put file text     the file has this line and no other
 * What is printed: a line that ended with CR LF as it is; anything else as Python would write the bytes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/scripted.h"
#include "lib/tlsend.h"

extern char **environ;

struct talk {
	struct end peer;
	struct buf have; /* what was received and is not printed yet */
	bool ended;
	pid_t pid; /* 0: a server */
};

enum { TIMEOUT = -2, LAST = 0, MORE = 1, NOTHING = 2 };

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
show(const char *line, size_t n)
{
	struct buf text = { 0 };
	bool plain = n >= 2 && line[n - 1] == '\n' && line[n - 2] == '\r';

	for (size_t i = 0; plain && i < n - 2; i++)
		plain = line[i] >= 32 && line[i] < 127;
	if (plain)
		add(&text, line, n - 2);
	else
		add_shown(&text, line, n);
	add(&text, "\n", 1);
	fwrite(text.p, 1, text.len, stdout);
	fflush(stdout);
	buf_free(&text);
}

static void
say(const char *word)
{
	puts(word);
	fflush(stdout);
}

/* Print a line. Returns MORE if more of the reply follows it, LAST if not, NOTHING at the end, or TIMEOUT. */
static int
show_line(struct talk *t)
{
	char got[65536], *end;
	size_t n, searched = 0;
	int result;

	while (!(end = find(&t->have, searched, "\n")) && !t->ended) {
		ssize_t r = end_receive(&t->peer, got, sizeof got);

		searched = t->have.len;
		if (r == END_TIMEOUT)
			return TIMEOUT;
		if (r == END_CUT)
			say("TLS cut short");
		t->ended = r <= 0;
		if (r > 0)
			add(&t->have, got, (size_t)r);
	}
	if (t->have.len == 0) {
		say("EOF");
		return NOTHING;
	}
	n = end ? (size_t)(end - t->have.p) + 1 : t->have.len;
	result = n > 3 && t->have.p[3] == '-' ? MORE : LAST;
	show(t->have.p, n);
	buf_consume(&t->have, n);
	return result;
}

/* Print all to the end. Returns 0 or TIMEOUT. */
static int
show_rest(struct talk *t)
{
	int result;

	do
		result = show_line(t);
	while (result == LAST || result == MORE);
	return result == TIMEOUT ? TIMEOUT : 0;
}

/* The words of a line, one space between. */
static void
words_of(const char *line, struct buf *out)
{
	size_t n;

	for (buf_clear(out); *(line += strspn(line, " \t\r\n")); line += n) {
		n = strcspn(line, " \t\r\n");
		if (out->len > 0)
			add(out, " ", 1);
		add(out, line, n);
	}
	add(out, "", 1);
}

/* Whether the file has the line of these words. -1: it has one with another last word, which is printed. */
static int
has_line(char *text, const char *words)
{
	struct buf line = { 0 };
	const char *last = strrchr(words, ' ');
	int found = 0;

	for (char *rest = text, *one; found == 0 && (one = part(&rest, '\n'));) {
		words_of(one, &line);
		if (strcmp(line.p, words) == 0) {
			found = 1;
		} else if (rest && last) {
			const char *its = strrchr(line.p, ' ');

			if (its && its - line.p == last - words && strncmp(line.p, words, (size_t)(last - words) + 1) == 0) {
				printf("waits %s\n", one);
				found = -1;
			}
		}
	}
	buf_free(&line);
	return found;
}

/* Wait until the text, or the line if it is one, is in the file. Returns 0 or TIMEOUT. */
static int
wait_for(const char *file, const char *text, bool line, double seconds)
{
	double limit = now() + seconds;
	struct buf words = { 0 }, have = { 0 };
	int found = 0;

	words_of(text, &words);
	while (found == 0 && now() < limit) {
		buf_clear(&have);
		if (add_file(&have, file) == 0) {
			add(&have, "", 1);
			found = line ? has_line(have.p, words.p) : find(&have, 0, text) != NULL;
		}
		if (found == 0)
			pause_for(0.02);
	}
	buf_free(&words);
	buf_free(&have);
	return found > 0 ? 0 : TIMEOUT;
}

static char *
argument(char *line)
{
	char *space = strchr(line, ' ');

	if (!space)
		die("talk: bad line: %s", line);
	*space = '\0';
	return space + 1;
}

/* Do what a line of the script says. Returns 0, -1 if the other end is gone, TIMEOUT. */
static int
step(struct talk *t, char *line)
{
	struct buf data = { 0 };
	char *name, *text;
	FILE *f;
	int result = 0;

	if (line[0] == '>') {
		bool exact = line[1] == '>';
		size_t skip = strnlen(line, exact ? 3 : 2);

		if (exact) {
			add_octets(&data, line + skip);
		} else {
			add(&data, line + skip, strlen(line + skip));
			add(&data, "\r\n", 2);
		}
		result = end_send(&t->peer, data.p, data.len);
	} else if (strncmp(line, "file ", 5) == 0) {
		if (add_file(&data, line + 5) < 0)
			die("talk: %s: %s", line + 5, strerror(errno));
		result = end_send(&t->peer, data.p, data.len);
	} else if (strcmp(line, "<") == 0) {
		while ((result = show_line(t)) == MORE)
			;
		result = result == TIMEOUT ? TIMEOUT : 0;
	} else if (strcmp(line, "<<") == 0) {
		result = show_rest(t);
	} else if (strcmp(line, "tls") == 0) {
		say(end_start_tls(&t->peer, NULL) == 0 ? "TLS" : "TLS failed");
	} else if (strcmp(line, "shut") == 0) {
		end_shut(&t->peer);
	} else if (strcmp(line, "close") == 0) {
		end_close(&t->peer);
	} else if (strncmp(line, "sleep ", 6) == 0) {
		pause_for(atof(line + 6));
	} else if (strncmp(line, "until ", 6) == 0 || strncmp(line, "waits ", 6) == 0) {
		name = argument(line);
		text = argument(name);
		result = wait_for(name, text, line[0] == 'w', t->peer.seconds);
	} else if (strncmp(line, "put ", 4) == 0) {
		name = argument(line);
		text = argument(name);
		if (!(f = fopen(name, "w")) || fprintf(f, "%s\n", text) < 0 || fclose(f) != 0)
			die("talk: %s: %s", name, strerror(errno));
	} else {
		die("talk: bad line: %s", line);
	}
	buf_free(&data);
	return result;
}

/* Start the program; fds are its 0, 1 and perhaps 2. */
static pid_t
start(char *words[], const int fds[], int n)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t signals;
	pid_t pid;
	int error;

	posix_spawn_file_actions_init(&actions);
	for (int i = 0; i < n; i++)
		posix_spawn_file_actions_adddup2(&actions, fds[i], i);
	posix_spawnattr_init(&attributes);
	sigemptyset(&signals);
	sigaddset(&signals, SIGPIPE); /* ignored here */
	posix_spawnattr_setsigdefault(&attributes, &signals);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	if ((error = posix_spawnp(&pid, words[0], &actions, &attributes, words, environ)) != 0)
		die("talk: %s: %s", words[0], strerror(error));
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return pid;
}

static void
start_program(struct talk *t, char *words[], bool pipes, bool all_three)
{
	int in[2], out[2], s[2];

	if (pipes) {
		if (pipe(in) < 0 || pipe(out) < 0)
			die("talk: pipe: %s", strerror(errno));
		for (int i = 0; i < 2; i++) {
			fcntl(in[i], F_SETFD, FD_CLOEXEC);
			fcntl(out[i], F_SETFD, FD_CLOEXEC);
		}
		t->pid = start(words, (int[]){ in[0], out[1] }, 2);
		close(in[0]);
		close(out[1]);
		t->peer.out = in[1];
		t->peer.in = out[0];
	} else {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) < 0)
			die("talk: socketpair: %s", strerror(errno));
		t->pid = start(words, (int[]){ s[1], s[1], s[1] }, all_three ? 3 : 2);
		close(s[1]);
		t->peer.in = t->peer.out = s[0];
	}
}

static void
open_connection(struct talk *t, char *address)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV }, *found;
	char *colon = strrchr(address, ':');
	int fd;

	if (!colon)
		die("talk: what is %s?", address);
	*colon = '\0';
	if (getaddrinfo(address, colon + 1, &hints, &found) != 0)
		die("talk: what is %s?", address);
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) < 0)
		die("talk: %s: %s", address, strerror(errno));
	freeaddrinfo(found);
	t->peer.in = t->peer.out = fd;
}

/* Wait for the program's end, and kill it if that does not come. */
static void
end_program(struct talk *t, bool tell)
{
	double limit = now() + t->peer.seconds, pause = 0.001;
	int status;

	while (waitpid(t->pid, &status, WNOHANG) == 0) {
		if (now() > limit) {
			kill(t->pid, SIGKILL);
			if (tell)
				puts("exit none: had to be killed");
			return;
		}
		pause_for(pause);
		pause = pause * 2 < 0.05 ? pause * 2 : 0.05;
	}
	if (tell)
		printf("exit %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
}

/* The line without the white space around it. */
static char *
trimmed(char *line)
{
	size_t n;

	line += strspn(line, " \t\r");
	for (n = strlen(line); n > 0 && strchr(" \t\r", line[n - 1]); n--)
		line[n - 1] = '\0';
	return line;
}

int
main(int argc, char *argv[])
{
	struct talk t = { .peer = { .in = -1, .out = -1, .seconds = 90 } };
	struct buf script = { 0 };
	bool pipes = false, all_three = false, tell = false;
	char *address = NULL, *rest;
	int option, inherited = -1;

	while ((option = getopt(argc, argv, "+2px3:c:t:")) != -1)
		switch (option) {
		case '2':
			all_three = true;
			break;
		case 'p':
			pipes = true;
			break;
		case 'x':
			tell = true;
			break;
		case '3':
			inherited = open(optarg, O_RDONLY);
			break;
		case 'c':
			address = optarg;
			break;
		case 't':
			t.peer.seconds = atof(optarg);
			break;
		default:
			return 1;
		}
	argv += optind;
	if (!address && !*argv)
		die("talk: no program");
	/* The program inherits 3 if -3 asked for that, and nothing else. */
	if (inherited > 3) {
		dup2(inherited, 3);
		close(inherited);
	}
	for (int fd = inherited >= 0 ? 4 : 3; fd < 1024; fd++)
		close(fd);
	signal(SIGPIPE, SIG_IGN);
	if (address)
		open_connection(&t, address);
	else
		start_program(&t, argv, pipes, all_three);
	if (add_all(&script, 0) < 0)
		die("talk: no script");
	add(&script, "", 1);
	rest = script.p;
	for (char *line; (line = part(&rest, '\n'));) {
		int result = 0;

		if (line[0] != '>')
			line = trimmed(line);
		if (line[0] != '\0' && line[0] != '#')
			result = step(&t, line);
		if (result == TIMEOUT) {
			say("TIMEOUT");
			if (t.pid > 0)
				kill(t.pid, SIGKILL);
			break;
		}
		if (result == -1)
			say("GONE");
	}
	end_close(&t.peer);
	if (t.pid > 0)
		end_program(&t, tell);
	buf_free(&script);
	buf_free(&t.have);
	return 0;
}
