/* ISC licence, see LICENSE. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"

enum { LOG_ID_MAX = 64 }; /* octets shown of an id; ours have 14 */

struct line {
	char text[LOG_LINE_MAX + 1];
	size_t len;
};

static void
put(struct line *l, const char *s, size_t n)
{
	size_t room = LOG_LINE_MAX - 1 - l->len; /* without the LF */

	if (n > room)
		n = room;
	memcpy(l->text + l->len, s, n);
	l->len += n;
}

static void
put_str(struct line *l, const char *s)
{
	put(l, s, strlen(s));
}

/* An id comes from the environment: it must not end the line or look like another part of it. */
static void
put_id(struct line *l, const char *s)
{
	size_t n;

	for (n = 0; *s && n < LOG_ID_MAX; s++, n++)
		put(l, *s > ' ' && *s <= '~' ? s : "?", 1);
}

static void
put_value(struct line *l, const char *s)
{
	const char *p;
	int plain = *s != '\0';

	for (p = s; *p; p++)
		if (*p <= ' ' || *p > '~' || *p == '"' || *p == '\\')
			plain = 0;
	if (plain) {
		put_str(l, s);
		return;
	}
	put(l, "\"", 1);
	for (p = s; *p; p++)
		if (*p < ' ' || *p > '~' || *p == '"' || *p == '\\') {
			char hex[5];

			snprintf(hex, sizeof hex, "\\x%02x", (unsigned char)*p);
			put(l, hex, 4);
		} else
			put(l, p, 1);
	put(l, "\"", 1);
}

/* Returns true if the value of key is the address of a sender or recipient, as a whole. */
static bool
is_address(const char *key)
{
	return strcmp(key, "rcpt") == 0 || strcmp(key, "from") == 0;
}

/* Returns true if the value of key stays although it looks like an address. */
static bool
is_name(const char *key)
{
	return strcmp(key, "user") == 0 || strcmp(key, "msgid") == 0;
}

/* Write the value with "?" in place of each word that has an at sign. */
static void
put_without_addresses(struct line *l, const char *s)
{
	static const char between[] = " \n\r\t<>()\",;:=";
	char text[LOG_LINE_MAX + 1];
	size_t len = 0;

	while (*s && len < LOG_LINE_MAX) {
		size_t n = strcspn(s, between);

		if (n == 0 || !memchr(s, '@', n)) {
			n += n == 0;
			n = n < LOG_LINE_MAX - len ? n : LOG_LINE_MAX - len;
			memcpy(text + len, s, n);
			len += n;
		} else
			text[len++] = '?';
		s += n;
	}
	text[len] = '\0';
	put_value(l, text);
}

static void
begin(struct line *l, const struct log *log, const char *event)
{
	l->len = 0;
	put_str(l, log->stage);
	put_str(l, ": ");
	put_id(l, log->session ? log->session : "-");
	if (log->message) {
		put(l, "/", 1);
		put_id(l, log->message);
	}
	put(l, " ", 1);
	put_str(l, event);
}

static void
end(struct line *l, const struct log *log)
{
	ssize_t r;

	if (log->syslog) {
		size_t skip = strlen(log->stage) + 2; /* syslog writes the name itself */

		l->text[l->len] = '\0';
		openlog(log->stage, LOG_PID, LOG_MAIL); /* again: several stages may share a process */
		syslog(LOG_MAIL | LOG_INFO, "%s", l->text + skip);
		return;
	}
	l->text[l->len++] = '\n';
	r = write(STDERR_FILENO, l->text, l->len); /* a single write keeps the lines of several processes whole */
	(void)r;                                   /* a failure cannot be reported anywhere */
}

void
log_open(struct log *l, const char *stage, int peer_fd)
{
	struct stat a, b;
	struct sockaddr_storage far;
	socklen_t len = sizeof far;

	*l = (struct log){ .stage = stage };
	if (fstat(peer_fd, &a) == 0 && fstat(STDERR_FILENO, &b) == 0)
		l->syslog = S_ISSOCK(a.st_mode) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
	/* A network socket can only be the peer, even if fd 0 is no longer that socket. */
	if (getpeername(STDERR_FILENO, (struct sockaddr *)&far, &len) == 0)
		l->syslog |= far.ss_family == AF_INET || far.ss_family == AF_INET6;
	if (stat("/dev/null", &a) == 0 && fstat(STDERR_FILENO, &b) == 0 && S_ISCHR(b.st_mode))
		l->syslog |= a.st_rdev == b.st_rdev;
	if (l->syslog)
		openlog(stage, LOG_PID, LOG_MAIL);
}

void
log_event(const struct log *log, const char *event, ...)
{
	struct line l;
	const char *key, *value;
	va_list ap;

	if (log->stranger && !log_permit(log))
		return;
	begin(&l, log, event);
	va_start(ap, event);
	while ((key = va_arg(ap, const char *))) {
		value = va_arg(ap, const char *);
		if (!value || (log->no_addresses && is_address(key)))
			continue;
		put(&l, " ", 1);
		put_str(&l, key);
		put(&l, "=", 1);
		if (log->no_addresses && !is_name(key))
			put_without_addresses(&l, value);
		else
			put_value(&l, value);
	}
	va_end(ap);
	end(&l, log);
}

void
log_error(const struct log *log, const char *event, const char *fmt, ...)
{
	char reason[LOG_LINE_MAX];
	size_t len = strlen(fmt), used;
	int e = errno;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof reason, fmt, ap);
	va_end(ap);
	used = strlen(reason);
	if (len && fmt[len - 1] == ':')
		snprintf(reason + used, sizeof reason - used, " %s", strerror(e));
	log_event(log, event, "reason", reason, (char *)NULL);
}

/* It lies in memory that a parent and its workers share. */
struct log_budget {
	atomic_llong minute; /* of the monotonic clock; the counts below are for this minute */
	atomic_uint lines, suppressed;
};

struct log_budget *
log_budget_new(void)
{
	void *p = mmap(NULL, sizeof(struct log_budget), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p; /* mmap has zeroed it */
}

void
log_budget_end(const struct log *l)
{
	struct log service = *l;
	unsigned n = l->budget ? atomic_exchange(&l->budget->suppressed, 0) : 0;
	char text[16];

	if (n == 0)
		return;
	service.session = service.message = NULL; /* the line is about all sessions */
	service.stranger = false;
	snprintf(text, sizeof text, "%u", n);
	log_event(&service, "suppressed", "lines", text, (char *)NULL);
}

bool
log_permit(const struct log *l)
{
	struct log_budget *b = l->budget;
	long long now = clock_ms() / 60000, was;

	if (!b)
		return true;
	was = atomic_load(&b->minute);
	if (was != now && atomic_compare_exchange_strong(&b->minute, &was, now)) { /* exactly one process succeeds */
		log_budget_end(l);
		atomic_store(&b->lines, 0);
	}
	if (atomic_fetch_add(&b->lines, 1) < LOG_STRANGERS)
		return true;
	atomic_fetch_add(&b->suppressed, 1);
	return false;
}
