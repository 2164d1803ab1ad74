/* ISC licence, see LICENSE. */
#include "deliver/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/id.h"
#include "base/os.h"
#include "mail/header.h"
#include "smtp/addr.h"
#include "smtp/cap.h"

enum {
	BLOCK = 65536, /* octets of the message read at once */
	HOST_MAX = 64,
	UNIQUE_MAX = 192,
	PATH_ROOM = MAILDIR_NAME_MAX + UNIQUE_MAX + 8, /* MAILBOX/tmp/UNIQUE */
};

/* The file of one envelope line. */
struct file {
	enum { FILE_NONE, FILE_TMP, FILE_NEW } where;
	char mailbox[MAILDIR_NAME_MAX + 1];
	char name[UNIQUE_MAX];
};

int
maildir_name(char name[MAILDIR_NAME_MAX + 1], const char *path, size_t len)
{
	size_t i;

	if (len == 0 || len > MAILDIR_NAME_MAX || path[0] == '.')
		return -1;
	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)path[i];

		if (c < ' ' || c == 127 || c == '/')
			return -1;
		name[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
	}
	name[len] = '\0';
	return 0;
}

/* Make a file name that is unique, also among hosts that share the directory. i: the number of the envelope line. */
static void
make_unique(char name[UNIQUE_MAX], size_t i)
{
	char host[HOST_MAX + 1], id[ID_MAX], safe[HOST_MAX + 4];
	struct timeval now;
	size_t from, n = 0;

	if (gethostname(host, sizeof host) < 0)
		snprintf(host, sizeof host, "localhost");
	host[HOST_MAX] = '\0';
	for (from = 0; host[from] && n < HOST_MAX; from++)
		if (host[from] == '/' || host[from] == ':') /* as the Maildir specification writes them */
			n += (size_t)snprintf(safe + n, sizeof safe - n, "\\%03o", (unsigned)host[from]);
		else
			safe[n++] = host[from];
	safe[n] = '\0';
	gettimeofday(&now, NULL);
	id_make(id);
	snprintf(name, UNIQUE_MAX, "%lld.M%06ldP%ldQ%zuR%s.%s", (long long)now.tv_sec, (long)now.tv_usec, (long)getpid(),
	    i, id, safe);
}

/* The path of f in sub; without name, the path of sub. */
static void
path_of(char path[PATH_ROOM], const struct file *f, const char *sub, bool name)
{
	snprintf(path, PATH_ROOM, "%s/%s%s%s", f->mailbox, sub, name ? "/" : "", name ? f->name : "");
}

/* Make a directory and sync its parent, unless the directory exists. Returns 0, or -1 with errno set. */
static int
make_dir(int dir, const char *path, const char *parent)
{
	if (mkdirat(dir, path, 0700) < 0)
		return errno == EEXIST ? 0 : -1;
	return os_sync_dir(dir, parent);
}

static int
make_maildir(int dir, const struct file *f)
{
	static const char *const subs[] = { "tmp", "new", "cur" };
	char path[PATH_ROOM];
	size_t i;

	if (make_dir(dir, f->mailbox, ".") < 0)
		return -1;
	for (i = 0; i < sizeof subs / sizeof *subs; i++) {
		path_of(path, f, subs[i], false);
		if (make_dir(dir, path, f->mailbox) < 0)
			return -1;
	}
	return 0;
}

/* Write the message with LF for each CRLF, and add an LF if its last line has none. Returns 0, or -1 with errno set. */
static int
write_message(int to, int from, off_t size)
{
	char block[BLOCK], last = '\n';
	size_t kept = 0; /* octets at the start of block: a CR, if the next block may begin with its LF */
	off_t off = 0;

	while (off < size) {
		size_t room = sizeof block - kept, n = size - off < (off_t)room ? (size_t)(size - off) : room;
		size_t len = kept + n, out = 0, i;

		if (file_read(from, block + kept, n, off) < 0)
			return -1;
		off += (off_t)n;
		for (i = 0; i < len; i++)
			if (block[i] != '\r' || i + 1 == len || block[i + 1] != '\n')
				block[out++] = block[i];
		kept = block[len - 1] == '\r' && off < size;
		out -= kept;
		if (out > 0)
			last = block[out - 1];
		if (file_write(to, block, out) < 0)
			return -1;
		if (kept)
			block[0] = '\r';
	}
	return last == '\n' ? 0 : file_write(to, "\n", 1);
}

/* Write f to tmp. Returns 0: f is complete and on the disk; or -1 with errno set: f may exist, incomplete. */
static int
write_tmp(int dir, const struct delivery *d, struct file *f)
{
	const struct envelope_line *mail = &d->envelope.mail;
	char path[PATH_ROOM], field[ADDR_MAILBOX_MAX + 32];
	int fd, n, r;

	if (make_maildir(dir, f) < 0)
		return -1;
	path_of(path, f, "tmp", true);
	fd = openat(dir, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	f->where = FILE_TMP;
	n = snprintf(field, sizeof field, "Return-Path: <%.*s>\n", (int)mail->path_len, mail->path); /* RFC 5321 4.4 */
	r = file_write(fd, field, (size_t)n);
	if (r == 0)
		r = write_message(fd, d->message, d->size);
	return file_finish(fd, r);
}

/* Move f from tmp to new, which delivers it. Returns 0, or -1 with errno set: f may be in either. */
static int
move_to_new(int dir, struct file *f)
{
	char from[PATH_ROOM], to[PATH_ROOM];

	path_of(from, f, "tmp", true);
	path_of(to, f, "new", true);
	if (renameat(dir, from, dir, to) < 0)
		return -1;
	f->where = FILE_NEW;
	path_of(to, f, "new", false);
	return os_sync_dir(dir, to);
}

static void
take_back(int dir, struct file *f)
{
	char path[PATH_ROOM];

	if (f->where == FILE_NONE)
		return;
	path_of(path, f, f->where == FILE_TMP ? "tmp" : "new", true);
	unlinkat(dir, path, 0);
	f->where = FILE_NONE;
}

/* The delivery of line i has failed with errno: answer the line and remove its file. */
static void
fail(int dir, struct delivery *d, struct file *file, size_t i, const char *what)
{
	enum reply r = errno == ENAMETOOLONG ? REPLY_NO_MAILBOX : reply_of_errno(errno);

	log_error(&d->call->log, "failed", "%s %s:", what, file[i].mailbox);
	take_back(dir, &file[i]);
	delivery_reply(d, i, r, NULL);
}

/* Refuse each recipient that can have no mailbox here, whatever the message is. */
static void
refuse_unable(struct delivery *d, struct file *file)
{
	const uint32_t caps = CAP_8BITMIME | CAP_SMTPUTF8; /* what a file with LF ends can hold */
	char text[DELIVERY_TEXT_MAX];
	enum reply r = delivery_check(&d->envelope.mail, caps, text);
	size_t i;

	if (r != REPLY_OK)
		delivery_reply_all(d, r, *text ? text : NULL);
	for (i = 0; i < d->lines; i++) {
		const struct envelope_line *l = &d->envelope.rcpt[i];

		if (!delivery_is_pending(d, i))
			continue;
		r = delivery_check(l, caps, text);
		if (r == REPLY_OK && maildir_name(file[i].mailbox, l->path, l->path_len) < 0)
			r = REPLY_NO_MAILBOX;
		if (r != REPLY_OK)
			delivery_reply(d, i, r, *text ? text : NULL);
	}
}

/* Refuse a message whose first line would continue our Return-Path field. */
static void
refuse_joined(struct delivery *d)
{
	int joins = header_would_join(d->message);

	if (joins != 0)
		delivery_reply_all(d, joins < 0 ? REPLY_LOCAL_ERROR : REPLY_BAD_MESSAGE, NULL);
}

/*
 * Write every file, then move every file. A line stays pending until all is done, so delivery_is_over decides after
 * each step whether to go on.
 * Returns 0: the lines that are pending are delivered; or -1: every file must be removed.
 */
static int
write_and_move(int dir, struct delivery *d, struct file *file)
{
	size_t i;

	for (i = 0; i < d->lines; i++) {
		if (!delivery_is_pending(d, i))
			continue;
		make_unique(file[i].name, i);
		if (write_tmp(dir, d, &file[i]) < 0)
			fail(dir, d, file, i, "writing to");
		if (delivery_is_over(d))
			return -1;
		if (clock_left(d->deadline_ms) == 0)
			break; /* delivery_is_wanted logs it */
	}
	if (!delivery_is_wanted(d)) { /* the point of no return comes next */
		delivery_reply_all(d, REPLY_LATE, NULL);
		return -1;
	}
	for (i = 0; i < d->lines; i++) {
		if (!delivery_is_pending(d, i))
			continue;
		if (move_to_new(dir, &file[i]) < 0)
			fail(dir, d, file, i, "delivering to");
		if (delivery_is_over(d))
			return -1;
	}
	return 0;
}

void
maildir_deliver(struct delivery *d, int dir)
{
	struct file *file = calloc(d->lines, sizeof *file);
	size_t i;

	if (!file) {
		delivery_reply_all(d, REPLY_NO_MEMORY, NULL);
		return;
	}
	refuse_joined(d);
	refuse_unable(d, file);
	if (!delivery_is_over(d)) {
		if (write_and_move(dir, d, file) < 0)
			for (i = 0; i < d->lines; i++)
				take_back(dir, &file[i]);
		delivery_reply_all(d, REPLY_DELIVERED, NULL);
	}
	free(file);
}

void
maildir_check(struct delivery *d)
{
	struct file *file = calloc(d->lines, sizeof *file);

	if (file)
		refuse_unable(d, file);
	delivery_reply_all(d, file ? REPLY_RCPT_OK : REPLY_NO_MEMORY, NULL);
	free(file);
}
