/* ISC licence, see LICENSE. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../rewrite/mapping.h"
#include "base/os.h"
#include "base/program.h"
#include "build.h"
#include "chain/limits.h"
#include "import.h"

enum { READ_OCTETS = 65536 }; /* at once */

static const char usage_words[] = "[-d domain ...] kind table.cdb [text] | -c [-d domain ...] kind table.cdb | "
    "-x kind table.cdb | -i postfix|virtual|passwd [-d domain] kind [file]";

static int
usage(void)
{
	struct buf names = { 0 };

	fprintf(stderr, "usage: msa-table %s\n", usage_words);
	if (kind_names(&names) == 0)
		fprintf(stderr, "kinds: %s\n", names.p);
	buf_free(&names);
	return CHAIN_MISUSE;
}

/* Read a whole text to the end of fd. Returns 0, or -1 with errno set (EFBIG: over TEXT_MAX). */
static int
read_all(struct buf *b, int fd)
{
	ssize_t n = 1;

	while (n != 0) {
		if (buf_room(b, READ_OCTETS) < 0)
			return -1;
		n = read(fd, b->p + b->len, READ_OCTETS);
		if (n < 0 && errno != EINTR)
			return -1;
		b->len += n > 0 ? (size_t)n : 0;
		if (b->len > TEXT_MAX) {
			errno = EFBIG;
			return -1;
		}
	}
	return 0;
}

/* Read the text of this name; NULL: standard input. Returns 0, or an exit code after a complaint. */
static int
read_text(struct buf *b, const char *name)
{
	int fd = name ? open(name, O_RDONLY | O_CLOEXEC) : STDIN_FILENO, r = fd < 0 ? -1 : read_all(b, fd);

	if (r < 0)
		fprintf(stderr, "msa-table: %s: %s\n", name ? name : "standard input", strerror(errno));
	if (name && fd >= 0)
		close(fd);
	return r < 0 ? CHAIN_LATER : CHAIN_DONE;
}

/* Make a table, or the text of one from another program's file. Returns the exit code. */
static int
from_text(struct job *j, const char *format, const char *domain, const char *name)
{
	struct buf text = { 0 };
	int code;

	os_undumpable(); /* another program's file may have passwords */
	j->text_name = name ? name : "standard input";
	code = read_text(&text, name);
	if (code == CHAIN_DONE)
		code = format ? import_text(j, format, domain, text.p, text.len) : build_table(j, text.p, text.len);
	buf_wipe(&text);
	return code < 0 ? usage() : code;
}

int
main(int argc, char *argv[])
{
	struct mapping mapping = { .sites = 0 };
	const char *format = NULL;
	struct job j = { .kind = NULL };
	int c, how = 0, words;

	if (program_answers("msa-table", usage_words, argc, argv))
		return CHAIN_DONE;
	while ((c = getopt(argc, argv, "+cd:i:x")) != -1) {
		if (c == '?' || (c == 'd' ? mapping.sites == MAPPING_SITES_MAX : how != 0))
			return usage();
		if (c == 'd')
			mapping.site[mapping.sites++] = optarg;
		else
			how = c;
		if (c == 'i')
			format = optarg;
	}
	argv += optind;
	words = argc - optind;
	if (words == 0 || (how == 'i' ? words > 2 : how ? words != 2 : words != 2 && words != 3))
		return usage();
	j.kind = kind_find(argv[0]);
	if (!j.kind) {
		fprintf(stderr, "msa-table: %s: no such kind of table\n", argv[0]);
		return usage();
	}
	if (mapping.sites > (how == 'i') && (how == 'i' || !j.kind->domains || how == 'x'))
		return usage();
	j.form = j.kind->form;
	j.form.arg = &mapping;
	j.path = argv[1];
	if (how == 'c')
		return build_check(&j);
	if (how == 'x')
		return build_print(&j);
	return from_text(&j, format, mapping.sites > 0 ? mapping.site[0] : NULL,
	    how == 'i' ? argv[1] : words == 3 ? argv[2] : NULL);
}
