/* ISC licence, see LICENSE. */
/*
 * A milter, without libmilter, that answers what a test tells it to, octet for octet.
 *
 * usage: milterd [-a actions] [-m stage=macros] [-n connections] [-r file] [-s steps] [-t seconds] [-u path]
 *                [-v version] [rule ...]
 *
 * Listens on the Unix socket path, or on a free port of 127.0.0.1; prints its address when it does; serves that many
 * connections (1), one after another, and ends; or ends after so many seconds (120) whatever happens. -a, -s, -v: what
 * it agrees on (0x1ff, 0 and 6; any form of a number). -m: the macros it wants at a stage's number. -r: file gets a
 * line for each packet, its letter and its data as Python writes octets; a long body only by its length.
 *
 * A rule is LETTER=ANSWERS, or LETTER#N=ANSWERS for the Nth packet with that letter: O (options), C, H, M, R, T, L, N,
 * B, E. Answers are separated by "|", and each is one of
 *     text          a packet: its letter and its data, with \n \r \0 \xHH as in C, so "c" is to go on
 *     many:N:text   such a packet N times
 *     size:N:text   such a packet, filled up with "x" to N octets
 *     raw:octets    octets, not a packet
 *     flood:octets  them, again and again until the client closes
 *     nothing       no answer     close   close the connection     stall   say nothing more until the client closes
 * Without a rule the answer is "c".
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/scripted.h"

struct milter {
	char **rules; /* NULL at their end */
	const char *record;
	uint32_t version, actions, steps;
	struct buf macros;
	int seen[128]; /* packets of a connection by their letter */
};

/* Which steps are not answered with these flags. */
static uint32_t
silent(char letter)
{
	static const char letters[] = "CHMRTNLB";
	static const uint32_t flags[] = { 0x1000, 0x2000, 0x4000, 0x8000, 0x10000, 0x40000, 0x80, 0x80000 };
	const char *at = strchr(letters, letter);

	return at ? flags[at - letters] : 0;
}

static void
add_number(struct buf *b, uint32_t n)
{
	uint32_t octets = htonl(n);

	add(b, &octets, 4);
}

static void
add_packet(struct buf *b, const struct buf *data)
{
	add_number(b, (uint32_t)data->len);
	add(b, data->p, data->len);
}

/* What the text asks to be sent. Returns 0, or -1 if that is to be sent again and again. */
static int
answer_read(const char *text, struct buf *out)
{
	struct buf data = { 0 };
	unsigned long n = 1, size = 0;
	char *rest;

	if (strncmp(text, "raw:", 4) == 0) {
		add_octets(out, text + 4);
		return 0;
	}
	if (strncmp(text, "flood:", 6) == 0) {
		for (int i = 0; i < 1000; i++)
			add_octets(out, text + 6);
		return -1;
	}
	if (strncmp(text, "many:", 5) == 0) {
		n = strtoul(text + 5, &rest, 10);
		text = rest + 1;
	} else if (strncmp(text, "size:", 5) == 0) {
		size = strtoul(text + 5, &rest, 10);
		text = rest + 1;
	}
	add_octets(&data, text);
	while (data.len < size)
		add(&data, "x", 1);
	while (n-- > 0)
		add_packet(out, &data);
	buf_free(&data);
	return 0;
}

/* Returns 0, or -1 if the connection is over. */
static int
answer(int fd, const char *text)
{
	struct buf out = { 0 };
	char got[4096];
	int result = 0;

	if (strcmp(text, "close") == 0)
		return -1;
	if (strcmp(text, "nothing") == 0)
		return 0;
	if (strcmp(text, "stall") == 0) {
		while (read(fd, got, sizeof got) > 0)
			;
		return -1;
	}
	if (answer_read(text, &out) < 0) {
		while (result == 0)
			result = send_all(fd, out.p, out.len);
	} else {
		result = send_all(fd, out.p, out.len);
	}
	buf_free(&out);
	return result;
}

/* Read n octets. Returns 0, or -1 at the end. */
static int
receive(int fd, struct buf *b, size_t n)
{
	buf_clear(b);
	while (b->len < n) {
		ssize_t got;

		if (buf_room(b, n) < 0 || (got = read(fd, b->p + b->len, n - b->len)) <= 0)
			return -1;
		b->len += (size_t)got;
	}
	return 0;
}

/* The rule for the Nth packet of this letter, or else for the letter. Of two the later one counts. */
static const char *
rule_of(const struct milter *m, char letter)
{
	const char *found = NULL;
	char exact[32];
	int better = 0;

	snprintf(exact, sizeof exact, "%c#%d=", letter, m->seen[(int)letter]);
	for (char **rule = m->rules; *rule; rule++) {
		if (strncmp(*rule, exact, strlen(exact)) == 0) {
			found = *rule + strlen(exact);
			better = 1;
		} else if (!better && (*rule)[0] == letter && (*rule)[1] == '=') {
			found = *rule + 2;
		}
	}
	return found;
}

static void
record(const struct milter *m, const struct buf *packet)
{
	struct buf line = { 0 };

	if (!m->record)
		return;
	add(&line, packet->p, 1);
	add(&line, " ", 1);
	if (packet->p[0] == 'B' && packet->len > 200)
		buf_printf(&line, "%zu", packet->len - 1);
	else
		add_shown(&line, packet->p + 1, packet->len - 1);
	add(&line, "\n", 1);
	append(m->record, line.p, line.len);
	buf_free(&line);
}

/* Answer a packet. Returns 0, or -1 if the connection is over. */
static int
reply(const struct milter *m, int fd, char letter)
{
	const char *rule = rule_of(m, letter);
	struct buf data = { 0 }, out = { 0 };
	int result = 0;

	if (rule) {
		char *copy = strdup(rule), *rest = copy;

		for (char *text; result == 0 && (text = part(&rest, '|'));)
			result = answer(fd, text);
		free(copy);
		return result;
	}
	if (letter == 'O') {
		add(&data, "O", 1);
		add_number(&data, m->version);
		add_number(&data, m->actions);
		add_number(&data, m->steps);
		add(&data, m->macros.p, m->macros.len);
	} else if (!(m->steps & silent(letter))) {
		add(&data, "c", 1);
	}
	if (data.len > 0) {
		add_packet(&out, &data);
		result = send_all(fd, out.p, out.len);
	}
	buf_free(&data);
	buf_free(&out);
	return result;
}

static void
serve(struct milter *m, int fd)
{
	struct buf packet = { 0 };
	uint32_t size;

	memset(m->seen, 0, sizeof m->seen);
	while (receive(fd, &packet, 4) == 0) {
		memcpy(&size, packet.p, 4);
		if (receive(fd, &packet, ntohl(size)) < 0 || packet.len == 0)
			break;
		record(m, &packet);
		if (packet.p[0] == 'Q')
			break;
		if (packet.p[0] == 'D' || packet.p[0] == 'A')
			continue;
		m->seen[packet.p[0] & 127]++;
		if (reply(m, fd, packet.p[0]) < 0)
			break;
	}
	buf_free(&packet);
}

int
main(int argc, char *argv[])
{
	struct milter m = { .actions = 0x1ff, .version = 6 };
	const char *path = NULL;
	int count = 1, limit = 120, option, listening;
	char *names;

	while ((option = getopt(argc, argv, "a:m:n:r:s:t:u:v:")) != -1)
		switch (option) {
		case 'a':
			m.actions = (uint32_t)strtoul(optarg, NULL, 0);
			break;
		case 'm':
			names = optarg;
			add_number(&m.macros, (uint32_t)atoi(part(&names, '=')));
			add(&m.macros, names ? names : "", names ? strlen(names) + 1 : 1);
			break;
		case 'n':
			count = atoi(optarg);
			break;
		case 'r':
			m.record = optarg;
			break;
		case 's':
			m.steps = (uint32_t)strtoul(optarg, NULL, 0);
			break;
		case 't':
			limit = atoi(optarg);
			break;
		case 'u':
			path = optarg;
			break;
		case 'v':
			m.version = (uint32_t)strtoul(optarg, NULL, 0);
			break;
		default:
			return 1;
		}
	m.rules = argv + optind;
	signal(SIGPIPE, SIG_IGN);
	alarm((unsigned)limit);
	listening = listen_and_tell(path);
	while (count-- > 0) {
		int fd = next_connection(listening);

		serve(&m, fd);
		close(fd);
	}
	buf_free(&m.macros);
	return 0;
}
