/* ISC licence, see LICENSE. */
#include "mail/recode.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "msa/msgfile.h"
#include "unit.h"

/* Write the file fd to the file path. Returns 0, or -1. */
static int
save(int fd, const char *path)
{
	int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), r;
	struct buf b = { 0 };

	r = to < 0 || file_slurp(fd, (size_t)1 << 30, &b) < 0 || file_write(to, b.p, b.len) < 0 ? -1 : 0;
	if (to >= 0)
		close(to);
	buf_free(&b);
	return r;
}

static void
show(int fd)
{
	struct buf b = { 0 };

	if (file_slurp(fd, (size_t)1 << 30, &b) == 0)
		unit_show(b.p, b.len);
	buf_free(&b);
}

/* Print what became of the message in fd. Returns its new form, or -1. */
static int
run(struct recode *r, const struct recode_hop *hop, int fd)
{
	int out = -1;

	switch (recode(r, hop, fd, &out)) {
	case RECODE_SAME:
		printf("same");
		break;
	case RECODE_CHANGED:
		break;
	case RECODE_REFUSED:
		printf("(%s)", r->why);
		break;
	case RECODE_ERROR:
		printf("(error)");
		break;
	}
	return out;
}

/*
 * usage: recode hop [files]; of hop: 8 takes 8-bit data, b binary data too, U lacks SMTPUTF8, w the message was
 * BINARYMIME, l lines end with LF, c text is in iso-8859-1 if it is not UTF-8. A line is a message, and what becomes of
 * it is printed after it; with files the line is two file names, and what was done to the first is in the second.
 */
int
unit_recode(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	const struct recode_hop hop = {
		.takes_binary = strchr(how, 'b') != NULL,
		.takes_8bit = strpbrk(how, "8b") != NULL,
		.takes_utf8 = !strchr(how, 'U'),
		.was_binary = strchr(how, 'w') != NULL,
		.charset = strchr(how, 'c') ? "iso-8859-1" : NULL,
		.lf = strchr(how, 'l') != NULL,
	};
	struct recode r;
	char *line, *raw;
	size_t len;
	int in, out;

	while ((line = unit_line(&len, &raw))) {
		char *second = argc > 2 ? strchr(line, ' ') : NULL;

		if (second)
			*second++ = '\0';
		in = second ? open(line, O_RDONLY | O_CLOEXEC) : msgfile_of(line, len);
		printf("%s => ", second ? line : raw);
		out = run(&r, &hop, in);
		if (out >= 0 && second)
			printf(save(out, second) < 0 ? "(not saved)" : "%zu quoted, %zu base64, %zu labels", r.quoted, r.base64,
			    r.labels);
		else if (out >= 0)
			show(out);
		putchar('\n');
		close(in);
		if (out >= 0)
			close(out);
		free(line);
		free(raw);
	}
	return 0;
}
