/* ISC licence, see LICENSE. */
#ifndef MSA_MAIL_CHARSET_H
#define MSA_MAIL_CHARSET_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Character sets, as far as a check of a display name needs them: which octets are ASCII characters, which are control
 * or bidirectional characters, and which are letters that do not matter. Nothing is converted.
 */
enum charset_kind {
	CHARSET_UNKNOWN,
	CHARSET_UTF8,    /* also US-ASCII */
	CHARSET_ISO8859, /* one octet a character; 128 to 159 are control characters */
	CHARSET_SINGLE,  /* one octet a character; 128 to 159 are letters */
	CHARSET_DOUBLE,  /* an octet over 127 begins a character of two octets */
	CHARSET_JIS,     /* ISO-2022-JP: escape sequences lead to characters of two octets and back */
};

struct charset {
	enum charset_kind kind;
	bool has_marks;   /* 253 and 254 are the left-to-right and the right-to-left mark */
	unsigned wide_at; /* the two octets of the full-width "@"; 0: none */
};

enum {
	CHARSET_INVALID = -1,   /* not a character of this set */
	CHARSET_NONE = -2,
	CHARSET_OTHER = 0xe000, /* any letter that is not ASCII, in a set other than UTF-8 */
	CHARSET_WIDE_AT = 0xff20,
};

/* Returns the character set of this name, in any case; its kind is CHARSET_UNKNOWN if this module does not know it. */
struct charset charset_find(const char *name, size_t n);

/* Returns true for a set of one octet a character, in which a text may be cut anywhere. */
bool charset_is_single(const char *name, size_t n);

/* A text to be read character by character. Zero-initialise wide and pos. */
struct charset_text {
	struct charset set;
	const char *s;
	size_t n, pos;
	bool wide; /* ISO-2022-JP: two octets a character follow */
};

/*
 * Move t->pos after the next character, while t->pos < t->n. Returns its code: for UTF-8 that of Unicode, for other
 * sets that of ASCII or of Unicode's control and bidirectional characters, CHARSET_WIDE_AT or CHARSET_OTHER. Returns
 * CHARSET_NONE for an escape sequence, which is no character; CHARSET_INVALID for octets that are no character, or
 * if the text ends with two octets a character selected.
 */
long charset_next(struct charset_text *t);

/* Returns true for a control character, a line or paragraph separator, or a character that changes the direction. */
bool charset_is_control(long c);

#endif
