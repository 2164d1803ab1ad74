/* ISC licence, see LICENSE. */
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/process.h"
#include "msa/buf.h"

pid_t
input_journal(const char *unit, const char *after, bool follow, int64_t since_us, int *fd)
{
	char since[32], journalctl[] = "journalctl", output[] = "--output=export", quiet[] = "--quiet",
	    fields[] = "--output-fields=MESSAGE,SYSLOG_IDENTIFIER", word[] = "--follow", lines[] = "--lines=all";
	struct buf unit_word = { 0 }, cursor = { 0 };
	char *argv[12];
	size_t n = 0;
	int pipes[2] = { -1, -1 };
	pid_t pid = -1;

	argv[n++] = journalctl;
	argv[n++] = output;
	argv[n++] = quiet;
	argv[n++] = fields;
	argv[n++] = lines;
	if (follow)
		argv[n++] = word;
	snprintf(since, sizeof since, "--since=@%lld", (long long)(since_us / 1000000));
	if (since_us > 0)
		argv[n++] = since;
	if (buf_printf(&unit_word, "--unit=%s", unit) < 0 || (after && buf_printf(&cursor, "--after-cursor=%s", after) < 0)) {
		buf_free(&unit_word);
		return -1;
	}
	argv[n++] = unit_word.p;
	if (after)
		argv[n++] = cursor.p;
	argv[n] = NULL;
	if (pipe(pipes) == 0)
		pid = fork();
	if (pid == 0) {
		dup2(pipes[1], STDOUT_FILENO);
		close(pipes[0]);
		close(pipes[1]);
		execvp(argv[0], argv);
		perror("msa-log: journalctl");
		_exit(127);
	}
	buf_free(&unit_word);
	buf_free(&cursor);
	if (pipes[1] >= 0)
		close(pipes[1]);
	if (pid < 0 && pipes[0] >= 0)
		close(pipes[0]);
	*fd = pipes[0];
	return pid;
}

static int
open_log(struct input *in, const char *path)
{
	struct input_log *l = &in->log[in->n];
	int fd;

	*l = (struct input_log){ .path = path, .us = INT64_MIN };
	in->why = path;
	if (path && strcmp(path, "-") != 0)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	else {
		l->path = NULL;
		in->why = "standard input";
		fd = dup(STDIN_FILENO);
	}
	if (fd < 0)
		return -1;
	if (source_open(&l->source, fd, 0, in->conf->now) < 0) {
		close(fd);
		return -1;
	}
	in->n++;
	return 0;
}

int
input_open(struct input *in, const struct input_conf *conf)
{
	size_t i;
	int fd, r = 0;

	*in = (struct input){ .conf = conf, .rest_us = INT64_MIN, .why = "memory" };
	if (conf->n > INPUT_FILES) {
		errno = E2BIG;
		return -1;
	}
	in->log = malloc((conf->n ? conf->n : 1) * sizeof *in->log);
	if (!in->log)
		return -1;
	if (conf->unit) {
		in->why = "journalctl";
		in->journalctl = input_journal(conf->unit, NULL, conf->follow, conf->since_us, &fd);
		in->log[0] = (struct input_log){ .us = INT64_MIN };
		if (in->journalctl < 0 || source_open(&in->log[0].source, fd, 0, conf->now) < 0)
			return -1;
		in->n = 1;
		return 0;
	}
	for (i = 0; r == 0 && i < conf->n; i++)
		r = open_log(in, conf->path[i]);
	return r < 0 || conf->n > 0 ? r : open_log(in, NULL);
}

int
input_close(struct input *in)
{
	size_t i;
	int status;

	for (i = 0; i < in->n; i++)
		source_close(&in->log[i].source);
	free(in->log);
	in->log = NULL;
	in->n = 0;
	if (in->journalctl <= 0)
		return 0;
	kill(in->journalctl, SIGTERM); /* it has ended, or follows */
	status = process_reap(in->journalctl);
	return (WIFEXITED(status) && WEXITSTATUS(status) == 0) || WIFSIGNALED(status) ? 0 : -1;
}

/*
 * At the end of a file that is followed: is another file in its place? What was still written to the old one is read
 * first, after a pause. Returns 1 (go on), 0 (wait), or -1 with errno set.
 */
static int
reopen(struct input *in, struct input_log *l)
{
	unsigned long long lines = l->source.lines, others = l->source.others, long_lines = l->source.long_lines;
	struct stat old, now;
	int fd;

	if (fstat(l->source.fd, &old) < 0 || stat(l->path, &now) < 0)
		return 0; /* the new one will come */
	if (old.st_dev == now.st_dev && old.st_ino == now.st_ino) {
		if (!S_ISREG(now.st_mode) || now.st_size >= l->source.offset)
			return 0;
		fd = dup(l->source.fd); /* the file was cut, as logrotate's copytruncate does */
		if (fd >= 0 && lseek(fd, 0, SEEK_SET) < 0) {
			close(fd);
			return -1;
		}
	} else if (!l->renamed) {
		l->renamed = true;
		return 0;
	} else
		fd = open(l->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	source_close(&l->source);
	if (source_open(&l->source, fd, 0, in->conf->now) < 0)
		return -1;
	l->source.lines = lines;
	l->source.others = others;
	l->source.long_lines = long_lines;
	l->renamed = false;
	return 1;
}

/* Have the next line of a log within the times. Returns 0 (it has one, has ended, or waits), or -1 with errno set. */
static int
advance(struct input *in, struct input_log *l)
{
	bool follow = in->conf->follow && l->path;
	int r = 1;

	while (!l->has_line && !l->ended && r > 0)
		switch (source_next(&l->source, &l->line, !follow)) {
		case SOURCE_LINE:
			if (l->line.us >= 0)
				l->us = l->line.us;
			l->has_line = l->us == INT64_MIN || (l->us >= in->conf->since_us && l->us < in->conf->until_us);
			break;
		case SOURCE_OTHER:
			break;
		case SOURCE_END:
			l->ended = !follow;
			r = follow ? reopen(in, l) : 0;
			break;
		case SOURCE_ERROR:
			r = -1;
			break;
		}
	if (r < 0)
		in->why = l->path ? l->path : in->conf->unit ? "journalctl" : "standard input";
	return r < 0 ? -1 : 0;
}

/* Choose the log with the earliest line, and note the earliest of the others. Returns 0, or -1 with errno set. */
static int
choose(struct input *in)
{
	struct input_log *best = NULL, *l;

	in->rest_us = INT64_MAX;
	for (l = in->log; l < in->log + in->n; l++) {
		if (advance(in, l) < 0)
			return -1;
		if (!l->has_line)
			continue;
		if (!best || l->us < best->us) {
			if (best)
				in->rest_us = best->us;
			best = l;
		} else if (l->us < in->rest_us)
			in->rest_us = l->us;
	}
	in->last = best;
	return 0;
}

enum input_result
input_next(struct input *in, const struct logline **l)
{
	struct input_log *last = in->last;

	if (last) {
		last->has_line = false;
		if (advance(in, last) < 0)
			return INPUT_ERROR;
	}
	if (!last || !last->has_line || last->us > in->rest_us)
		if (choose(in) < 0)
			return INPUT_ERROR;
	if (!in->last)
		return in->conf->follow ? INPUT_PAUSE : INPUT_END;
	*l = &in->last->line;
	return INPUT_LINE;
}

void
input_wait(void)
{
	poll(NULL, 0, INPUT_WAIT_MS);
}

void
input_count(const struct input *in, unsigned long long *lines, unsigned long long *others)
{
	size_t i;

	*lines = *others = 0;
	for (i = 0; i < in->n; i++) {
		*lines += in->log[i].source.lines;
		*others += in->log[i].source.others + in->log[i].source.long_lines;
	}
}
