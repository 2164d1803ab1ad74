/* ISC licence, see LICENSE. */
#include "script.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/program.h"

enum { SCRIPT_MAX = 4096, WORDS_MAX = 256 };

/* The text that is read, and the words that are written over its beginning. */
struct reading {
	const char *from;
	char *to;
	char **word; /* n of them */
	size_t n;
	bool in_word;
};

static bool
is_plain(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c && strchr("_-./:@%+=,", c));
}

static void
end_word(struct reading *r)
{
	if (r->in_word)
		*r->to++ = '\0';
	r->in_word = false;
}

/* Begin a word if none has begun. Returns false: there are too many. */
static bool
begin_word(struct reading *r)
{
	if (r->in_word)
		return true;
	if (r->n == WORDS_MAX)
		return false;
	r->word[r->n++] = r->to;
	r->in_word = true;
	return true;
}

/* Take what stands between two quotes. Returns false if a shell would do something with it. */
static bool
take_quoted(struct reading *r)
{
	const char quote = *r->from++;

	for (; *r->from && *r->from != quote; *r->to++ = *r->from++)
		if (quote == '"' && strchr("$`\\", *r->from))
			return false;
	return *r->from++ == quote;
}

/* Read the words of a command up to the end of its line. Returns false: a shell does more with it than to split it. */
static bool
take_command(struct reading *r)
{
	while (*r->from && *r->from != '\n') {
		if (strncmp(r->from, "\\\n", 2) == 0) {
			r->from += 2;
			continue;
		}
		if (*r->from == ' ' || *r->from == '\t') {
			end_word(r);
			r->from++;
			continue;
		}
		if (*r->from == '#' && !r->in_word)
			break;
		if (!begin_word(r))
			return false;
		if (*r->from == '\'' || *r->from == '"') {
			if (!take_quoted(r))
				return false;
		} else if (is_plain(*r->from))
			*r->to++ = *r->from++;
		else
			return false;
	}
	r->from += strcspn(r->from, "\n");
	r->from += *r->from == '\n';
	end_word(r);
	return true;
}

/* Read the whole script. Returns false if it is not one command. */
static bool
take_script(struct reading *r)
{
	bool any = false;

	while (*r->from) {
		r->from += strspn(r->from, " \t\n");
		if (*r->from == '#')
			r->from += strcspn(r->from, "\n");
		else if (*r->from && (any || !take_command(r)))
			return false;
		else
			any |= r->n > 0;
	}
	return any;
}

char **
script_words(const char *path, struct buf *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct reading r = { .word = calloc(WORDS_MAX + 1, sizeof *r.word) };
	char found[PATH_MAX];
	bool is_it = false;

	if (fd >= 0 && r.word && buf_puts(text, " ") == 0 && file_slurp(fd, SCRIPT_MAX, text) == 0 &&
	    strncmp(text->p, " #!", 3) == 0 && strlen(text->p) == text->len) {
		r.to = text->p; /* one octet in front of what is read, for the end of the last word */
		r.from = text->p + 1;
		is_it = take_script(&r) && !strchr(r.word[0], '=');
		if (is_it && strcmp(r.word[0], "exec") == 0)
			memmove(r.word, r.word + 1, r.n * sizeof *r.word);
		is_it = is_it && r.word[0] && program_locate(r.word[0], getenv("PATH"), found) == 0;
	}
	if (fd >= 0)
		close(fd);
	if (is_it)
		return r.word;
	free(r.word);
	return NULL;
}
