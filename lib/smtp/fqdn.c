/* ISC licence, see LICENSE. */
#include "smtp/fqdn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* RFC 3492 5: the parameters of Punycode. */
enum { BASE = 36, TMIN = 1, TMAX = 26, SKEW = 38, DAMP = 700, INITIAL_BIAS = 72, INITIAL_N = 128 };

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* Take the list's lines without comments and trailing white space. Returns 0, or -1 with errno set. */
static int
take_list(struct buf *tlds, const char *s, size_t len)
{
	size_t n, i;

	if (memchr(s, '\0', len)) {
		errno = EPROTO;
		return -1;
	}
	for (; len > 0; s += n, len -= n) {
		const char *lf = memchr(s, '\n', len);
		size_t text = lf ? (size_t)(lf - s) : len;

		n = text + (lf != NULL);
		while (text > 0 && (s[text - 1] == '\r' || s[text - 1] == ' ' || s[text - 1] == '\t'))
			text--;
		if (text == 0 || *s == '#')
			continue;
		if (text > ADDR_LABEL_MAX || !addr_is_domain(s, text) || memchr(s, '.', text)) {
			errno = EPROTO;
			return -1;
		}
		if (buf_puts(tlds, "\n") < 0)
			return -1;
		for (i = 0; i < text; i++) {
			char c = lower(s[i]);

			if (buf_add(tlds, &c, 1) < 0)
				return -1;
		}
	}
	if (tlds->len == 0) { /* no domain would be qualified */
		errno = EPROTO;
		return -1;
	}
	return buf_puts(tlds, "\n");
}

static int
read_list(struct buf *tlds, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), r = -1, e;
	struct buf text = { 0 };
	ssize_t n = 0;

	if (fd < 0)
		return -1;
	while (text.len <= FQDN_TLDS_MAX && buf_room(&text, 16384) == 0 &&
	    (n = read(fd, text.p + text.len, 16384)) > 0)
		text.len += (size_t)n;
	if (n == 0 && text.len <= FQDN_TLDS_MAX)
		r = take_list(tlds, text.len > 0 ? text.p : "", text.len);
	else if (text.len > FQDN_TLDS_MAX)
		errno = EFBIG;
	e = errno;
	close(fd);
	buf_free(&text);
	errno = e;
	return r;
}

int
fqdn_open(struct fqdn *d, const char **path)
{
	struct fqdn fresh = { .labels_path = d->labels_path, .tlds_path = d->tlds_path, .open = true };
	int e;

	*path = d->labels_path;
	if (*path && table_open(&fresh.labels, *path) < 0)
		return -1;
	*path = d->tlds_path;
	if (*path && read_list(&fresh.tlds, *path) < 0) {
		e = errno;
		fqdn_close(&fresh);
		errno = e;
		return -1;
	}
	fqdn_close(d);
	*d = fresh;
	return 0;
}

void
fqdn_close(struct fqdn *d)
{
	if (d->open && d->labels_path)
		table_close(&d->labels);
	buf_free(&d->tlds);
	d->open = false;
}

/* Decode the next character of well-formed UTF-8, and move *s after it. */
static uint32_t
character(const char **s)
{
	const unsigned char *p = (const unsigned char *)*s;
	int more = *p < 0x80 ? 0 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : 3;
	uint32_t c = more == 0 ? *p : *p & (0x3fu >> more);

	for (*s += more + 1; more > 0; more--)
		c = c << 6 | (*++p & 0x3f);
	return c;
}

static uint32_t
adapt(uint32_t delta, uint32_t points, bool first)
{
	uint32_t k = 0;

	delta = first ? delta / DAMP : delta / 2;
	delta += delta / points;
	for (; delta > (BASE - TMIN) * TMAX / 2; k += BASE)
		delta /= BASE - TMIN;
	return k + (BASE - TMIN + 1) * delta / (delta + SKEW);
}

/* Append a variable-length number (RFC 3492 6.3). Returns 0, or -1 with errno set (ENOMEM). */
static int
number(struct buf *out, uint32_t q, uint32_t bias)
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	uint32_t k, t;

	for (k = BASE;; k += BASE) {
		t = k <= bias ? TMIN : k >= bias + TMAX ? TMAX : k - bias;
		if (q < t)
			return buf_add(out, digits + q, 1);
		if (buf_add(out, digits + t + (q - t) % (BASE - t), 1) < 0)
			return -1;
		q = (q - t) / (BASE - t);
	}
}

/*
 * Append the A-label of a U-label of at most ADDR_LABEL_MAX characters. The label is not normalised: that is the
 * client's task (RFC 5891), and a label in another form is another label. Returns 0, or -1 with errno set (ENOMEM).
 */
static int
a_label(struct buf *out, const char *label)
{
	uint32_t n = INITIAL_N, bias = INITIAL_BIAS, delta = 0, done = 0, basic, c, next;
	const char *s;

	if (buf_puts(out, "xn--") < 0)
		return -1;
	for (s = label; *s; s++)
		if (!(*s & 0x80)) {
			done++;
			if (buf_add(out, s, 1) < 0)
				return -1;
		}
	basic = done;
	if (basic > 0 && buf_puts(out, "-") < 0)
		return -1;
	for (;; delta++, n++) {
		for (next = UINT32_MAX, s = label; *s;)
			if ((c = character(&s)) >= n && c < next)
				next = c;
		if (next == UINT32_MAX)
			return 0;
		delta += (next - n) * (done + 1); /* at most 0x110000 * 64: no overflow */
		n = next;
		for (s = label; *s;) {
			c = character(&s);
			delta += c < n;
			if (c != n)
				continue;
			if (number(out, delta, bias) < 0)
				return -1;
			bias = adapt(delta, done + 1, done == basic);
			delta = 0;
			done++;
		}
	}
}

/* Look for a label, in the canonical form of struct addr, on the list. Returns 1, 0, or -1 with errno set (ENOMEM). */
static int
is_tld(const struct fqdn *d, const char *label)
{
	struct buf b = { 0 };
	const char *s;
	int r = -1;

	for (s = label; *s && !(*s & 0x80); s++)
		;
	if (buf_puts(&b, "\n") == 0 && (*s ? a_label(&b, label) : buf_puts(&b, label)) == 0 && buf_puts(&b, "\n") == 0)
		r = strstr(d->tlds.p, b.p) != NULL;
	buf_free(&b);
	return r;
}

int
fqdn_is_qualified(struct fqdn *d, const struct addr *a)
{
	const char *label = strrchr(addr_domain(a), '.');
	int r;

	if (a->is_literal || !label)
		return addr_is_qualified(a);
	label++;
	if (d->open && d->labels_path) {
		r = table_get(&d->labels, label, strlen(label), NULL, NULL);
		if (r != 0)
			return r < 0 ? -1 : 0;
	}
	return d->open && d->tlds_path ? is_tld(d, label) : 1;
}

bool
fqdn_is_bad_label(const char *key, size_t n)
{
	size_t i;

	for (i = 0; i < n && (key[i] < 'A' || key[i] > 'Z'); i++)
		;
	return i < n || memchr(key, '.', n) || !addr_is_domain(key, n);
}
