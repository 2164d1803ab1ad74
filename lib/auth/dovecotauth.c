/* ISC licence, see LICENSE. */
#include "auth/dovecotauth.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/clock.h"
#include "msa/buf.h"
#include "net/nexthop.h"

/* One question on its connection. */
struct talk {
	int fd; /* non-blocking */
	int64_t deadline_ms;
	const char *why;                     /* why there is no answer; a constant */
	size_t at, len;                      /* the octets of in that were not looked at yet */
	char in[DOVECOTAUTH_LINE_MAX];
};

/* Wait until the socket is ready. Returns 0, or -1 with t->why set. */
static int
wait_for(struct talk *t, short events)
{
	struct pollfd p = { .fd = t->fd, .events = events };
	int left, r = 0;

	while ((left = clock_left(t->deadline_ms)) > 0 && (r = poll(&p, 1, left)) < 0 && errno == EINTR)
		;
	if (r > 0)
		return 0;
	t->why = "no answer in time";
	return -1;
}

static int
send_all(struct talk *t, const struct buf *b)
{
	size_t done = 0;

	while (done < b->len) {
		ssize_t r = send(t->fd, b->p + done, b->len - done, MSG_NOSIGNAL);

		if (r > 0)
			done += (size_t)r;
		else if (errno != EINTR && errno != EAGAIN) {
			t->why = "the connection was closed";
			return -1;
		} else if (wait_for(t, POLLOUT) < 0)
			return -1;
	}
	return 0;
}

/* Returns the next line without its end, valid until the next call, or NULL with t->why set. */
static char *
next_line(struct talk *t)
{
	for (;;) {
		char *line = t->in + t->at, *lf = memchr(line, '\n', t->len);
		ssize_t r;

		if (lf) {
			*lf = '\0';
			t->at += (size_t)(lf - line) + 1;
			t->len -= (size_t)(lf - line) + 1;
			return line;
		}
		memmove(t->in, line, t->len);
		t->at = 0;
		if (t->len == sizeof t->in) {
			t->why = "a line is too long";
			return NULL;
		}
		if (wait_for(t, POLLIN) < 0)
			return NULL;
		r = recv(t->fd, t->in + t->len, sizeof t->in - t->len, 0);
		if (r > 0)
			t->len += (size_t)r;
		else if (r == 0 || (errno != EINTR && errno != EAGAIN)) {
			t->why = "the connection was closed";
			return NULL;
		}
	}
}

/* Returns what follows the word and a tab at the start of a line ("" at the line's end), or NULL: another word. */
static const char *
after(const char *line, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(line, word, n) != 0 || (line[n] != '\t' && line[n] != '\0'))
		return NULL;
	return line + n + (line[n] == '\t');
}

/* Returns the first of the fields that begins like this, or NULL. */
static const char *
find_field(const char *fields, const char *start)
{
	for (; *fields; fields += fields[strcspn(fields, "\t")] ? strcspn(fields, "\t") + 1 : strlen(fields))
		if (strncmp(fields, start, strlen(start)) == 0)
			return fields;
	return NULL;
}

/* Returns true if one of the fields is this one. */
static bool
has_field(const char *fields, const char *field)
{
	const char *found = find_field(fields, field);

	return found && after(found, field);
}

/*
 * Returns true if the name of the answer is the user that we asked for. The server may drop a domain, add one, or
 * follow an alias: then it has judged another user's password, whom our locks, limits and rights know by another name.
 * The letters' case does not matter, and a name without a domain is one of our realm.
 */
static bool
is_user(const char *fields, const char *user, const char *realm)
{
	const char *name = find_field(fields, "user=");
	size_t n, whole = strlen(user);

	if (!name)
		return false;
	name += strlen("user=");
	n = strcspn(name, "\t");
	if (n > whole || strncasecmp(name, user, n) != 0)
		return false;
	return n == whole || (realm && !memchr(name, '@', n) && user[n] == '@' && strcasecmp(user + n + 1, realm) == 0);
}

/* Read the server's greeting up to DONE. Returns 0, or -1 with t->why set. */
static int
read_greeting(struct talk *t)
{
	bool version = false, plain = false;
	const char *line, *rest;

	while ((line = next_line(t))) {
		if ((rest = after(line, "VERSION")))
			version = after(rest, "1") != NULL;
		else if ((rest = after(line, "MECH")))
			plain |= after(rest, "PLAIN") != NULL;
		else if (after(line, "DONE"))
			break;
	}
	if (!line)
		return -1;
	t->why = !version ? "not Dovecot's protocol, version 1" :
	    !plain        ? "no PLAIN there" :
	    t->len > 0    ? "an answer before the question" :
	                    NULL;
	return t->why ? -1 : 0;
}

/* Append an address of the client's connection, if it is one. */
static int
add_address(struct buf *b, const char *key, const char *address)
{
	if (!address || !*address || address[strspn(address, "0123456789abcdefABCDEF:.")] != '\0')
		return 0;
	return buf_printf(b, "%s=%s\t", key, address);
}

/* Append the question. Returns 0, or -1 with errno ENOMEM. */
static int
add_question(struct buf *b, const struct facts *f, const char *user, const char *password, size_t len)
{
	struct buf secret = { 0 };
	size_t n = strlen(user);
	int r = buf_puts(b, "AUTH\t1\tPLAIN\tservice=smtp\tnologin\t");

	if (r == 0 && facts_is_tls(f))
		r = buf_puts(b, "secured\t");
	if (r == 0)
		r = add_address(b, "lip", facts_get(f, "TCPLOCALIP"));
	if (r == 0)
		r = add_address(b, "rip", facts_get(f, "TCPREMOTEIP"));
	if (r == 0 && buf_room(&secret, n + len + 2) == 0 && buf_room(b, (n + len + 4) / 3 * 4 + 16) == 0) /* not to move */
		r = buf_add(&secret, "", 1) < 0 || buf_add(&secret, user, n + 1) < 0 || buf_add(&secret, password, len) < 0 ||
		    buf_puts(b, "resp=") < 0 || base64_encode(b, secret.p, secret.len) < 0 || buf_puts(b, "\n") < 0 ? -1 : 0;
	else
		r = -1;
	buf_wipe(&secret);
	return r;
}

/* Read the answer to our only question, which was about user. */
static enum backend_answer
read_answer(struct talk *t, const char *user, const char *realm)
{
	const char *line, *rest;

	while ((line = next_line(t))) {
		if ((rest = after(line, "OK")) && (rest = after(rest, "1"))) {
			if (is_user(rest, user, realm))
				return BACKEND_RIGHT;
			if (!find_field(rest, "user=")) {
				t->why = "an answer without a user";
				return BACKEND_LATER;
			}
			t->why = "the password is that of a user with another name there";
			return BACKEND_WRONG;
		}
		if ((rest = after(line, "FAIL")) && (rest = after(rest, "1"))) {
			if (!has_field(rest, "temp") && !has_field(rest, "code=temp_fail"))
				return BACKEND_WRONG;
			t->why = "a temporary failure there";
			return BACKEND_LATER;
		}
		if (after(line, "CONT")) {
			t->why = "an answer that PLAIN does not have";
			return BACKEND_LATER;
		}
	}
	return BACKEND_LATER;
}

enum backend_answer
dovecotauth_ask(const char *path, const char *realm, const struct facts *facts, const struct log *log,
    const char *user, const char *password, size_t len)
{
	struct nexthop hop = { .is_unix = true, .text = path };
	struct talk t = { .deadline_ms = clock_ms() + BACKEND_WAIT_S * 1000 };
	enum backend_answer answer = BACKEND_LATER;
	struct buf hello = { 0 }, question = { 0 };

	if (memchr(password, '\0', len))
		return BACKEND_WRONG; /* PLAIN has no such password */
	if (buf_printf(&hello, "VERSION\t1\t1\nCPID\t%ld\n", (long)getpid()) < 0 ||
	    add_question(&question, facts, user, password, len) < 0)
		t.why = "out of memory";
	else if ((t.fd = nexthop_connect(&hop, false, t.deadline_ms, &t.why)) >= 0) {
		if (send_all(&t, &hello) == 0 && read_greeting(&t) == 0 && send_all(&t, &question) == 0)
			answer = read_answer(&t, user, realm);
		close(t.fd);
	}
	buf_free(&hello);
	buf_wipe(&question);
	if (t.why)
		log_event(log, answer == BACKEND_WRONG ? "mismatch" : "unanswered", "socket", path, "why", t.why, (char *)NULL);
	return answer;
}
