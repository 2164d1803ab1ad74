/* ISC licence, see LICENSE. */
/* The command metrics: counters for Prometheus, and each line counted once. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "command.h"
#include "msa/chain.h"
#include "source.h"
#include "state.h"

enum { ROTATED = 1024 }; /* files that have been renamed since the last run, at most */

/* A file beside a log: the log's own past, perhaps. */
struct past {
	char *path; /* owned */
	struct timespec changed;
	off_t size;
};

struct pasts {
	struct past file[ROTATED];
	size_t n;
};

struct metrics {
	struct state state;
	int64_t now;
	struct {
		dev_t dev;
		ino_t ino;
	} read[STATE_LOGS]; /* logs that were read in this run */
	size_t nread;
};

/* Count what the source has. last: its end is not written to any more. Returns 0, or -1 with errno set. */
static int
count_source(struct metrics *m, struct source *s, bool last)
{
	enum source_result r;
	struct logline l;

	while ((r = source_next(s, &l, last)) == SOURCE_LINE || r == SOURCE_OTHER)
		if (r == SOURCE_LINE && counters_add(&m->state.counters, &l) < 0)
			return -1;
	return r == SOURCE_ERROR ? -1 : counters_add_others(&m->state.counters, s->others + s->long_lines);
}

/* Count the lines of an open file from offset on; fd is closed. Returns where it goes on, or -1 with errno set. */
static int64_t
count_file(struct metrics *m, int fd, int64_t offset, bool last)
{
	struct source s;
	int64_t r = -1;

	if (lseek(fd, (off_t)offset, SEEK_SET) < 0 || source_open(&s, fd, (off_t)offset, m->now) < 0) {
		close(fd);
		return -1;
	}
	if (count_source(m, &s, last) == 0)
		r = (int64_t)s.offset;
	source_close(&s);
	return r;
}

/* Is the file fd the one that was read before, under whatever name? */
static bool
is_known(int fd, const struct stat *st, const struct state_log *l)
{
	uint64_t head;

	if ((int64_t)st->st_size < l->offset || !S_ISREG(st->st_mode))
		return false;
	if (l->offset == 0)
		return (uint64_t)st->st_ino == l->ino && (uint64_t)st->st_dev == l->dev;
	return state_head(fd, l->offset, &head) == 0 && head == l->head;
}

static bool
has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), k = strlen(suffix);

	return n > k && strcmp(name + n - k, suffix) == 0;
}

/* Could a file of this name be what base was: base.1, base-20261130, base.old; for multilog and s6-log @4000...? */
static bool
is_past_name(const char *name, const char *base)
{
	static const char *const packed[] = { ".gz", ".bz2", ".xz", ".zst", ".new", NULL };
	size_t n = strlen(base), i;

	for (i = 0; packed[i]; i++)
		if (has_suffix(name, packed[i]))
			return false;
	if (strcmp(base, "current") == 0 && *name == '@')
		return true;
	return strncmp(name, base, n) == 0 && (name[n] == '.' || name[n] == '-');
}

static int
compare(const void *a, const void *b)
{
	const struct past *x = a, *y = b;

	if (x->changed.tv_sec != y->changed.tv_sec)
		return x->changed.tv_sec < y->changed.tv_sec ? -1 : 1;
	if (x->changed.tv_nsec != y->changed.tv_nsec)
		return x->changed.tv_nsec < y->changed.tv_nsec ? -1 : 1;
	return strcmp(x->path, y->path);
}

static void
free_pasts(struct pasts *p)
{
	while (p->n > 0)
		free(p->file[--p->n].path);
	free(p);
}

/* List the files that may be the past of a log, the oldest first. Returns NULL with errno set. */
static struct pasts *
list_pasts(const char *path)
{
	struct pasts *p = calloc(1, sizeof *p);
	char *one = strdup(path), *two = strdup(path), *folder = one ? dirname(one) : NULL, *base = two ? basename(two) : NULL;
	DIR *dir = p && folder && base ? opendir(folder) : NULL;
	struct dirent *e;

	while (dir && p->n < ROTATED && (e = readdir(dir))) {
		struct buf name = { 0 };
		struct stat st;

		if (!is_past_name(e->d_name, base) || buf_printf(&name, "%s/%s", folder, e->d_name) < 0)
			continue;
		if (stat(name.p, &st) == 0 && S_ISREG(st.st_mode))
			p->file[p->n++] = (struct past){ .path = name.p, .changed = st.st_mtim, .size = st.st_size };
		else
			buf_free(&name);
	}
	if (dir) {
		closedir(dir);
		qsort(p->file, p->n, sizeof *p->file, compare);
	} else {
		free(p);
		p = NULL;
	}
	free(one);
	free(two);
	return p;
}

/* Another file has the log's name now: find the one that was read before, and count its rest and what came next. */
static int
count_past(struct metrics *m, const struct state_log *l)
{
	struct pasts *p = list_pasts(l->path);
	struct stat own = { .st_ino = 0 };
	bool found = false;
	size_t i;
	int r = p ? 0 : -1;

	if (m->state.path && stat(m->state.path, &own) < 0)
		own.st_ino = 0;
	for (i = 0; r == 0 && i < p->n; i++) {
		int fd = open(p->file[i].path, O_RDONLY | O_CLOEXEC);
		struct stat st;

		if (fd < 0 || fstat(fd, &st) < 0) {
			if (fd >= 0)
				close(fd);
			r = found ? -1 : 0;
		} else if (st.st_ino == own.st_ino && st.st_dev == own.st_dev)
			close(fd); /* our own file, named like the log */
		else if (found)
			r = count_file(m, fd, 0, true) < 0 ? -1 : 0;
		else if ((found = is_known(fd, &st, l)))
			r = count_file(m, fd, l->offset, true) < 0 ? -1 : 0;
		else
			close(fd);
	}
	if (p)
		free_pasts(p);
	if (r < 0 || found)
		return r;
	command_complain(0, "%s: what was read before is gone, and lines may be missing", l->path);
	return counters_add_gap(&m->state.counters);
}

/* Returns true if this file was read in this run, under another name perhaps. */
static bool
was_read(struct metrics *m, const struct stat *st)
{
	size_t i;

	for (i = 0; i < m->nread; i++)
		if (m->read[i].dev == st->st_dev && m->read[i].ino == st->st_ino)
			return true;
	if (m->nread < STATE_LOGS) {
		m->read[m->nread].dev = st->st_dev;
		m->read[m->nread++].ino = st->st_ino;
	}
	return false;
}

/* Count what is new in a log, and note how far that is. Returns 0, or -1 with errno set. */
static int
count_log(struct metrics *m, const char *path)
{
	struct state_log *l = state_log(&m->state, path);
	int fd = l ? open(path, O_RDONLY | O_CLOEXEC) : -1, again;
	int64_t offset = 0;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || (again = dup(fd)) < 0) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	if (!S_ISREG(st.st_mode))
		errno = ESPIPE;
	else if (was_read(m, &st))
		errno = EEXIST;
	else if (l->offset >= 0 && is_known(fd, &st, l)) {
		errno = 0;
		offset = l->offset;
	} else if (l->offset < 0 || count_past(m, l) == 0)
		errno = 0;
	if (errno == 0)
		offset = count_file(m, fd, offset, false);
	else {
		offset = -1;
		close(fd);
	}
	if (offset >= 0 && state_head(again, offset, &l->head) == 0) {
		l->dev = (uint64_t)st.st_dev;
		l->ino = (uint64_t)st.st_ino;
		l->offset = offset;
	} else
		offset = -1;
	close(again);
	return offset < 0 ? -1 : 0;
}

/* Count what is new in the journal. Returns an exit code. */
static int
count_journal(struct metrics *m, const char *unit)
{
	struct source s;
	int fd, r, status;
	pid_t pid = input_journal(unit, m->state.cursor, false, 0, &fd);

	if (pid < 0)
		return command_complain(CHAIN_LATER, "journalctl:");
	if (source_open(&s, fd, 0, m->now) < 0) {
		close(fd);
		process_reap(pid);
		return command_complain(CHAIN_LATER, "memory:");
	}
	r = count_source(m, &s, true);
	if (*s.entry.cursor) {
		free(m->state.cursor);
		m->state.cursor = strdup(s.entry.cursor);
	}
	source_close(&s);
	if (r < 0)
		kill(pid, SIGTERM); /* it may still write */
	status = process_reap(pid);
	if (r < 0 || (*s.entry.cursor && !m->state.cursor))
		return command_complain(CHAIN_LATER, "journalctl:");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return CHAIN_DONE;
	return command_complain(CHAIN_LATER, "journalctl has failed");
}

static int
print(const struct metrics *m)
{
	struct buf b = { 0 };
	int r = counters_print(&m->state.counters, &b);

	if (r == 0 && b.len > 0)
		r = file_write(STDOUT_FILENO, b.p, b.len);
	buf_free(&b);
	return r == 0 ? CHAIN_DONE : command_complain(CHAIN_LATER, "standard output:");
}

/* Count standard input once, all of it. */
static int
count_stdin(struct metrics *m)
{
	int fd = dup(STDIN_FILENO);
	struct source s;
	int r;

	if (fd < 0 || source_open(&s, fd, 0, m->now) < 0)
		return command_complain(CHAIN_LATER, "standard input:");
	r = count_source(m, &s, true);
	source_close(&s);
	return r < 0 ? command_complain(CHAIN_LATER, "standard input:") : CHAIN_DONE;
}

static int
count(struct metrics *m, const struct command_conf *conf)
{
	int r = CHAIN_DONE;
	size_t i;

	if (conf->input.unit)
		return count_journal(m, conf->input.unit);
	if (conf->input.n == 0)
		return count_stdin(m);
	for (i = 0; r == CHAIN_DONE && i < conf->input.n; i++)
		if (count_log(m, conf->input.path[i]) < 0)
			r = errno == EEXIST ? command_complain(CHAIN_MISUSE, "%s: this log is named twice", conf->input.path[i]) :
			    command_complain(CHAIN_LATER, "%s:", conf->input.path[i]);
	return r;
}

int
command_metrics(struct command_conf *conf)
{
	struct metrics *m = calloc(1, sizeof *m);
	int r = CHAIN_DONE;

	if (!m)
		return command_complain(CHAIN_LATER, "memory:");
	m->now = conf->input.now;
	m->state.fd = -1;
	command_files(conf, conf->word);
	if (conf->state && !conf->input.unit && conf->input.n == 0)
		r = command_complain(CHAIN_MISUSE, "with -c: which files, or -j?");
	else if (conf->state && state_open(&m->state, conf->state) < 0)
		r = command_complain(CHAIN_LATER, errno == EAGAIN ? "%s: another msa-log has it" :
		    errno == EINVAL ? "%s: not a file of msa-log metrics -c" :
		    errno == EPERM ? "%s, or with .new after it: a link, or another user's" : "%s:", conf->state);
	if (r == CHAIN_DONE)
		r = count(m, conf);
	if (r == CHAIN_DONE && conf->state && state_save(&m->state) < 0)
		r = command_complain(CHAIN_LATER, "%s:", conf->state);
	if (r == CHAIN_DONE)
		r = print(m);
	state_close(&m->state);
	free(m);
	return r;
}
