/* ISC licence, see LICENSE. */
#include "shared.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "redis.h"

enum {
	LOGIN_MAX = 1024,            /* octets of the password's file */
	WORDS = 5 + 2 * RATES_MAX,   /* of the command */
	HEAD = 3, PER_LINE = 3,      /* numbers of the reply: at its start, and of each count */
};

const char shared_prefix[] = "redis:";

/*
 * A key is a user, its value a hash: for each number of seconds "count time", as in the lines of a file of counts.h.
 * The reply is the number of the rate that is exceeded (0: none), for how many more seconds, the time, and "seconds
 * count time" of each count: first those of the rates, then at most 8 others.
 */
static const char script[] =
    "local t = redis.call('TIME') "
    "local now = t[1] * 1000 + math.floor(t[2] / 1000) "
    "local k, add = tonumber(ARGV[1]) * 1000, ARGV[2] == 'add' "
    "local kept, has, out, gone = redis.call('HGETALL', KEYS[1]), {}, { 0, 0, now }, {} "
    "for i = 1, #kept, 2 do "
    "  local seconds = tonumber(kept[i]) "
    "  local had, since = string.match(kept[i + 1], '^(%d+) (%d+)$') "
    "  if seconds and had then "
    "    had, since = tonumber(had), math.min(tonumber(since), now) "
    "    if had > 0 and now - since < seconds * 1000 then has[seconds] = { had, since } end "
    "  end "
    "  if not (seconds and has[seconds]) then gone[#gone + 1] = kept[i] end "
    "end "
    "local rates, longest = {}, 0 "
    "for i = 3, #ARGV, 2 do "
    "  local n, seconds = tonumber(ARGV[i]), tonumber(ARGV[i + 1]) "
    "  local had, since, c = 0, now, has[seconds] "
    "  if c and n > 0 then "
    "    local most = math.min(c[1], n * 1000) "
    "    local less = math.floor((now - c[2]) * n / seconds) "
    "    if most > less then had, since = most - less, math.min(now, c[2] + math.ceil(less * seconds / n)) end "
    "  end "
    "  has[seconds] = nil "
    "  local over = had + k - n * 1000 "
    "  if over > 0 and n > 0 and out[1] == 0 then "
    "    out[1], out[2] = (i - 1) / 2, math.floor(over * seconds / (n * 1000)) + 1 "
    "  end "
    "  rates[#rates + 1] = { seconds, had, since } "
    "end "
    "for _, c in ipairs(rates) do "
    "  if add and out[1] == 0 then "
    "    c[2] = c[2] + k "
    "    redis.call('HSET', KEYS[1], c[1], string.format('%d %d', c[2], c[3])) "
    "  end "
    "  longest = math.max(longest, c[1]) "
    "  out[#out + 1], out[#out + 2], out[#out + 3] = c[1], c[2], c[3] "
    "end "
    "local others = 0 "
    "for seconds, c in pairs(has) do "
    "  longest, others = math.max(longest, seconds), others + 1 "
    "  if others <= 8 then out[#out + 1], out[#out + 2], out[#out + 3] = seconds, c[1], c[2] end "
    "end "
    "if add and out[1] == 0 then "
    "  for _, field in ipairs(gone) do "
    "    local seconds, used = tonumber(field), false "
    "    for _, c in ipairs(rates) do used = used or c[1] == seconds end "
    "    if not used then redis.call('HDEL', KEYS[1], field) end "
    "  end "
    "  redis.call('PEXPIRE', KEYS[1], longest * 1000) "
    "end "
    "return out";

/* Append the one or two lines of a text, each as a word with a NUL. Returns 0, or -1: more lines, or an empty one. */
static int
take_words(struct buf *login, const char *text, size_t n)
{
	size_t words = 0, len;
	const char *lf;

	for (; n > 0; words++) {
		lf = memchr(text, '\n', n);
		len = lf ? (size_t)(lf - text) : n;
		if (len == 0 || memchr(text, '\0', len) || words == 2 || buf_add(login, text, len) < 0 ||
		    buf_add(login, "", 1) < 0)
			return -1;
		len += lf != NULL;
		text += len;
		n -= len;
	}
	return words > 0 ? 0 : -1;
}

int
shared_login(struct shared *s, const char *path, const char **why)
{
	struct buf text = { 0 }, login = { 0 };
	int fd = file_open_secret(path, why), r = -1;

	if (fd < 0)
		return -1;
	*why = "neither a password nor a user and a password, each on a line of its own";
	if (file_slurp(fd, LOGIN_MAX, &text) == 0)
		r = take_words(&login, text.p, text.len);
	close(fd);
	buf_wipe(&text);
	if (r < 0) {
		buf_wipe(&login);
		return -1;
	}
	buf_wipe(&s->login);
	s->login = login;
	return 0;
}

/* Append the commands: AUTH, if there is a password, and our script. Returns 0, or -1 with errno set (ENOMEM). */
static int
compose(struct buf *b, const struct shared *s, const char *who, bool is_peer, const struct rates *r, int64_t k,
    bool add)
{
	char number[1 + 2 * RATES_MAX][24];
	const char *argv[WORDS + 1], *second;
	struct buf key = { 0 };
	size_t i, n = 0;
	int result = 0;

	if (s->login.len > 0) {
		second = s->login.p + strlen(s->login.p) + 1;
		argv[0] = "AUTH";
		argv[1] = s->login.p;
		argv[2] = second;
		result = redis_command(b, argv, second < s->login.p + s->login.len ? 3 : 2);
	}
	if (result < 0 || buf_puts(&key, "limit:") < 0 || counts_name(&key, who, is_peer) < 0) {
		buf_free(&key);
		return -1;
	}
	argv[n++] = "EVAL";
	argv[n++] = script;
	argv[n++] = "1";
	argv[n++] = key.p;
	snprintf(number[0], sizeof number[0], "%" PRId64, k);
	argv[n++] = number[0];
	argv[n++] = add ? "add" : "ask";
	for (i = 0; i < r->n; i++) {
		snprintf(number[1 + 2 * i], sizeof number[0], "%" PRId64, r->rate[i].n);
		snprintf(number[2 + 2 * i], sizeof number[0], "%" PRId64, r->rate[i].seconds);
		argv[n++] = number[1 + 2 * i];
		argv[n++] = number[2 + 2 * i];
	}
	result = redis_command(b, argv, n);
	buf_free(&key);
	return result;
}

/* Read the replies, and keep the last one in in. Returns 0, or -1 with the reason in why. */
static int
hear(int fd, int64_t deadline_ms, size_t replies, struct redis_reply *reply, char in[REDIS_REPLY_MAX],
    char why[STARTER_WHY])
{
	size_t len = 0, at = 0;
	ssize_t got;
	long n;

	while (replies > 0) {
		n = redis_reply(reply, in + at, len - at);
		if (n < 0 || (n == 0 && len == REDIS_REPLY_MAX)) {
			snprintf(why, STARTER_WHY, "not a reply of Redis");
			return -1;
		}
		if (n > 0 && reply->kind == REDIS_ERROR) {
			snprintf(why, STARTER_WHY, "%.*s", (int)(reply->len < STARTER_WHY ? reply->len : STARTER_WHY - 1),
			    reply->text);
			return -1;
		}
		if (n > 0) {
			at += (size_t)n;
			replies--;
			continue;
		}
		got = contact_read(fd, in + len, REDIS_REPLY_MAX - len, deadline_ms);
		if (got <= 0) {
			snprintf(why, STARTER_WHY, "%s", got == 0 ? "connection closed" :
			    errno == ETIMEDOUT ? "no answer until the deadline" : strerror(errno));
			return -1;
		}
		len += (size_t)got;
	}
	return 0;
}

/* Have the server run our script. Returns 0, or -1 with the reason in why. */
static int
ask(const struct shared *s, const struct buf *request, int64_t deadline_ms, struct redis_reply *reply,
    char why[STARTER_WHY])
{
	char in[REDIS_REPLY_MAX];
	int fd = contact_open(&s->server, deadline_ms, why), r;

	if (fd < 0)
		return -1;
	r = contact_write(fd, request->p, request->len, deadline_ms);
	if (r < 0)
		snprintf(why, STARTER_WHY, "%s", errno == ETIMEDOUT ? "no room for the request until the deadline" :
		    strerror(errno));
	else
		r = hear(fd, deadline_ms, s->login.len > 0 ? 2 : 1, reply, in, why);
	close(fd);
	return r;
}

/* Take the counts of the reply. Returns 0, or -1: it is not what our script says. */
static int
take(const struct redis_reply *reply, const struct rates *r, struct counts_state *state)
{
	size_t i;

	if (reply->kind != REDIS_LIST || reply->n < HEAD + PER_LINE * r->n || (reply->n - HEAD) % PER_LINE != 0 ||
	    reply->number[0] > (int64_t)r->n)
		return -1;
	state->n = (reply->n - HEAD) / PER_LINE;
	if (state->n > COUNTS_MAX)
		return -1;
	for (i = 0; i < state->n; i++) {
		const int64_t *one = &reply->number[HEAD + PER_LINE * i];

		state->line[i] = (struct counts_line){ one[0], one[1], one[2] };
	}
	return 0;
}

enum counts_result
shared_count(const struct shared *s, int64_t deadline_ms, const char *who, bool is_peer, const struct rates *r,
    int64_t k, bool add, struct shared_answer *a)
{
	struct redis_reply reply = { .n = 0 };
	struct buf request = { 0 };
	int64_t end_ms = clock_ms() + (int64_t)s->wait_s * 1000;
	bool never;
	int result;

	a->which = rates_too_small(r, k);
	never = a->which;
	if (never && add)
		return COUNTS_NEVER;
	result = compose(&request, s, who, is_peer, r, k, add);
	if (result < 0)
		snprintf(a->why, sizeof a->why, "%s", strerror(errno));
	else
		result = ask(s, &request, end_ms < deadline_ms ? end_ms : deadline_ms, &reply, a->why);
	buf_wipe(&request); /* the password is in it */
	if (result < 0)
		return COUNTS_ERROR;
	if (take(&reply, r, &a->state) < 0) {
		snprintf(a->why, sizeof a->why, "not the reply of the script");
		return COUNTS_ERROR;
	}
	a->now_ms = reply.number[2];
	if (never)
		return COUNTS_NEVER;
	if (reply.number[0] == 0)
		return COUNTS_OK;
	a->which = &r->rate[reply.number[0] - 1];
	a->wait_s = reply.number[1];
	return COUNTS_OVER;
}

void
shared_free(struct shared *s)
{
	buf_wipe(&s->login);
}
