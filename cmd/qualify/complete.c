/* ISC licence, see LICENSE. */
#include "complete.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/clock.h"
#include "base/id.h"
#include "chain/offer.h"
#include "mail/addrlist.h"
#include "mail/authres.h"
#include "mail/datetime.h"
#include "mail/downgrade.h"
#include "mail/resent.h"
#include "smtp/addr.h"

/* What a field belongs to: the message, the client's Resent- block, or an older block. */
enum whose { OF_MESSAGE, OF_BLOCK, OF_OLDER_BLOCK, WHOSE };

/* Those whom From and Sender name, or Resent-From and Resent-Sender. */
struct people {
	size_t authors; /* addresses in From */
	bool is_author; /* the user is among them */
};

/*
 * Fields are added at the end of the header. RFC 5322 3.6 wants trace fields and Resent- blocks first, and a Date on
 * top could stand before a Received field; at the end an added field neither moves another one nor changes its
 * meaning. So it is in the client's Resent- block (mail/resent.h), which is a set of fields of its own. The older
 * blocks belong to earlier transmissions: only their addresses are examined, and Resent-Bcc goes.
 */
struct work {
	struct completion *c;
	const struct rules *rules;
	const struct facts *facts;
	const char *text;
	size_t n;
	const char *eol;
	uint32_t seen;       /* fields that are kept or were added, but those of older blocks */
	bool open_line;      /* the last field is kept and has no line end */
	struct resent block; /* the client's */
	uint32_t met;        /* fields of the block, also those that are removed */
	struct field first[FIELD_COUNT]; /* of the fields that may stand once, the one that others are compared with */
	struct people people[WHOSE];
	struct addr user;    /* SMTPAUTHUSER as a mailbox; len 0: SMTPAUTHUSER is no mailbox */
};

static uint32_t
bit(enum field_id id)
{
	return UINT32_C(1) << id;
}

static enum complete_result
refuse(struct completion *c, const char *name, size_t number, const char *what)
{
	int r = number ? buf_printf(&c->why, "%s: address %zu %s", name, number, what) :
	    buf_printf(&c->why, "%s: %s", name, what);

	return r < 0 ? COMPLETE_ERROR : COMPLETE_REFUSED;
}

/* Insert "name: before middle after" at off. */
static int
add_field(struct work *w, size_t off, enum field_id id, const char *before, const char *middle, const char *after)
{
	struct buf b = { 0 };
	const char *first = w->open_line && off == w->n ? w->eol : "";
	int r;

	r = buf_printf(&b, "%s%s: %s%s%s%s", first, field_name(id), before, middle, after, w->eol);
	if (r == 0)
		r = edits_add(&w->c->edits, off, 0, b.p, b.len);
	buf_free(&b);
	if (*first)
		w->open_line = false;
	w->c->added |= bit(id);
	return r;
}

static int
add_date(struct work *w, size_t off, enum field_id id)
{
	char date[CLOCK_DATE_MAX];

	clock_date(date, sizeof date, time(NULL));
	return add_field(w, off, id, date, "", "");
}

/* Keep the n octets at s as the Message-ID for the log, without line ends and without white space around it. */
static void
keep_msgid(struct completion *c, const char *s, size_t n)
{
	size_t i, len = 0;

	for (i = 0; i < n && len < COMPLETE_MSGID_MAX; i++)
		if (s[i] != '\r' && s[i] != '\n' && s[i] != '\0' && (len > 0 || (s[i] != ' ' && s[i] != '\t')))
			c->msgid[len++] = s[i];
	while (len > 0 && (c->msgid[len - 1] == ' ' || c->msgid[len - 1] == '\t'))
		len--;
	c->msgid[len] = '\0';
}

/*
 * The id of the message is unique and leads from the header to the log. A Resent-Message-ID has ".r" after it, so that
 * it differs from the Message-ID.
 */
static int
add_message_id(struct work *w, size_t off, enum field_id id)
{
	enum { MESSAGE_MAX = 64 }; /* octets of an id of the message that goes into the field */
	static const char good[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-";
	const char *message = facts_get(w->facts, "MSA_MESSAGE"), *domain = w->rules->domain;
	char own[ID_MAX], host[ADDR_DOMAIN_MAX + 1], right[ADDR_DOMAIN_MAX + 8];
	char whole[MESSAGE_MAX + sizeof right + 2];

	if (!message || !*message || strlen(message) > MESSAGE_MAX || message[strspn(message, good)]) {
		id_make(own);
		message = own;
	}
	if (!domain)
		domain = offer_host(w->facts, host, sizeof host);
	snprintf(right, sizeof right, "%s@%.*s>", id == FIELD_RESENT_MESSAGE_ID ? ".r" : "", ADDR_DOMAIN_MAX, domain);
	if (id == FIELD_MESSAGE_ID) {
		int n = snprintf(whole, sizeof whole, "<%.*s%s", MESSAGE_MAX, message, right);

		keep_msgid(w->c, whole, (size_t)n);
	}
	return add_field(w, off, id, "<", message, right);
}

/* Note the user who submits, if the user's name is a mailbox (RFC 6409 8.1: an address that is added must be valid). */
static void
note_user(struct work *w)
{
	const char *user = facts_get(w->facts, "SMTPAUTHUSER");

	if (!user || addr_mailbox(user, strlen(user), &w->user) < 0 || !addr_is_qualified(&w->user) || w->user.is_utf8)
		w->user.len = 0;
}

/* Add a field with the user who submits. */
static enum complete_result
add_user(struct work *w, size_t off, enum field_id id)
{
	if (w->user.len == 0)
		return refuse(w->c, field_name(id), 0, "field is missing");
	return add_field(w, off, id, "<", w->user.text, ">") < 0 ? COMPLETE_ERROR : COMPLETE_OK;
}

/* Returns true if the mailbox m is the user who submits. The case of the domain has no meaning. */
static bool
is_user(const struct work *w, const struct addrlist_item *m)
{
	struct addr a;
	const char *domain = addr_domain(&w->user);
	size_t local = (size_t)(domain - w->user.text);

	if (w->user.len == 0 || addrlist_addr(w->text, m, &a) < 0)
		return false;
	if (m->labels == 0) /* domain is added to the address */
		return w->rules->domain && a.len + 1 == local && memcmp(a.text, w->user.text, a.len) == 0 &&
		    strcasecmp(w->rules->domain, domain) == 0;
	return a.len == w->user.len && memcmp(a.text, w->user.text, local) == 0 && strcasecmp(a.text + local, domain) == 0;
}

static enum whose
whose(const struct work *w, const struct field *f)
{
	return !field_is_resent(f->id) ? OF_MESSAGE : resent_has(&w->block, f) ? OF_BLOCK : OF_OLDER_BLOCK;
}

/* Does the local part exist in our domain? RFC 6409 8 wants that verified. Returns 1, 0, or -1 with errno set. */
static int
is_known(const struct rules *rules, const char *text, const struct addrlist_item *m)
{
	struct addr a;
	int r;

	if (!rules->domain || addrlist_addr(text, m, &a) < 0)
		return 0;
	if (addr_is_postmaster(&a))
		return 1;
	if (rules->any_local) /* except a piece of an encoded word that RFC 2047 5 (3) does not allow in a phrase */
		return strncmp(a.text, "=?", 2) != 0;
	if (!rules->locals)
		return 0;
	r = table_get(rules->locals, a.text, a.len, NULL, NULL);
	return r != 0 ? r : table_get_lower(rules->locals, a.text, a.len, NULL, NULL);
}

/* Insert text at off, unless the field will be removed. Returns 0, or -1 with errno set. */
static int
insert(struct work *w, const struct field *f, size_t off, const char *text)
{
	if (field_syntax(f->id) == FIELD_BLIND)
		return 0;
	w->c->qualified |= bit(f->id);
	return edits_add(&w->c->edits, off, 0, text, strlen(text));
}

/* Insert a mark (a dot or an at sign) and a domain at off. Returns as insert. */
static int
add_domain(struct work *w, const struct field *f, size_t off, const char *mark, const char *domain)
{
	return insert(w, f, off, mark) < 0 ? -1 : insert(w, f, off, domain);
}

/*
 * Complete the domain of an address, and the quotes of a name that is the address itself. Returns 0, or -1 with errno
 * set. *what is set if the address is wrong and cannot be completed.
 */
static int
qualify(struct work *w, const struct field *f, const struct addrlist_item *m, const char **what)
{
	const struct rules *rules = w->rules;
	int known = 0;

	if (m->lacks_quotes && (insert(w, f, m->name, "\"") < 0 || insert(w, f, m->name_end, "\"") < 0))
		return -1;
	if (m->labels == 0) {
		known = is_known(rules, w->text, m);
		if (known == 0)
			*what = "has no domain";
		return known <= 0 ? known : add_domain(w, f, m->local_end, "@", rules->domain);
	}
	if (m->is_literal)
		return 0;
	if (rules->labels)
		known = table_get_lower(rules->labels, w->text + m->label, m->domain_end - m->label, NULL, NULL);
	if (known < 0)
		return -1;
	if (m->labels == 1 && known)
		return add_domain(w, f, m->domain_end, ".", rules->suffix);
	if (m->labels == 1 || known) /* RFC 6409 4.2: a@squeaky.sales is incomplete, and it is unclear how to complete it */
		*what = "has no fully qualified domain";
	return 0;
}

/*
 * Words that nobody can have meant as an address are not completed. In "Smith, Alice <alice@example.net>" the comma
 * belongs to a name; next is the address after m. A table that has the word knows better.
 */
static bool
is_half_of_a_name(const struct addrlist_item *m, const struct addrlist_item *next)
{
	return m->is_bare && m->labels == 0 && next->name_end > next->name && m->in_group == next->in_group;
}

/* "undisclosed-recipients" is a group without its signs. */
static bool
is_group_name(const struct work *w, const struct addrlist_item *m)
{
	static const char group[] = "undisclosed-recipients";
	size_t n = m->local_end - m->local;

	return m->labels == 0 && n == strlen(group) && strncasecmp(w->text + m->local, group, n) == 0;
}

/* Check every address of a field and complete its domain if necessary, RFC 6409 5.1. */
static enum complete_result
check_addresses(struct work *w, const struct field *f)
{
	const char *name = field_name(f->id), *what = NULL;
	enum field_syntax syntax = field_syntax(f->id);
	enum addrlist_result r;
	struct addrlist list;
	struct addrlist_item m, before = { .labels = 0 };
	struct people *people = &w->people[whose(w, f)];
	size_t number = 0;

	addrlist_begin(&list, w->text, f->value, f->end);
	for (; (r = addrlist_next(&list, &m)) == ADDRLIST_BOX; before = m) {
		number++;
		if (w->rules->any_local && is_half_of_a_name(&before, &m))
			return refuse(w->c, name, number - 1, "has no domain");
		if (is_group_name(w, &m))
			return refuse(w->c, name, number, "has no domain");
		if (qualify(w, f, &m, &what) < 0)
			return COMPLETE_ERROR;
		if (what)
			return refuse(w->c, name, number, what);
		if ((f->id == FIELD_FROM || f->id == FIELD_RESENT_FROM) && is_user(w, &m))
			people->is_author = true;
	}
	if (r == ADDRLIST_BAD)
		return refuse(w->c, name, number + 1, "is not valid");
	if (list.addresses == 0 && syntax != FIELD_BLIND)
		return refuse(w->c, name, 0, "there is no address");
	if (list.addresses > 1 && syntax == FIELD_ADDRESS)
		return refuse(w->c, name, 0, "there is more than one address");
	if (f->id == FIELD_FROM || f->id == FIELD_RESENT_FROM)
		people->authors = list.addresses;
	return COMPLETE_OK;
}

/* Has the field octets over 127 where the header has to be ASCII? */
static bool
is_not_ascii(const struct work *w, const struct field *f)
{
	return w->c->is_ascii && downgrade_has_8bit(w->text + f->value, f->end - f->value);
}

/* RFC 6409 8.2 and 8.3: an invalid Date or Message-ID is replaced. Blocks of earlier transmissions stay as they are. */
static bool
must_be_replaced(const struct work *w, const struct field *f)
{
	bool is_date = f->id == FIELD_DATE || f->id == FIELD_RESENT_DATE;

	if (whose(w, f) == OF_OLDER_BLOCK || (!is_date && f->id != FIELD_MESSAGE_ID && f->id != FIELD_RESENT_MESSAGE_ID))
		return false;
	if (is_not_ascii(w, f))
		return true;
	return is_date ? !datetime_is_valid(w->text, f->value, f->end) : !addrlist_is_msg_id(w->text, f->value, f->end);
}

/*
 * Is the field a report by one of our servers (RFC 8601 5)? Such a report does not come from a client. Our servers are
 * our host, the domain, and the names below it. A report whose author cannot be read counts as one.
 */
static bool
is_our_report(const struct work *w, const struct field *f)
{
	const char *domain = w->rules->domain;
	char id[ADDR_DOMAIN_MAX + 1], host[ADDR_DOMAIN_MAX + 1];
	size_t n, len = domain ? strlen(domain) : 0;

	if (f->id != FIELD_AUTH_RESULTS)
		return false;
	n = authres_id(w->text, f->value, f->end, id, sizeof id);
	return n == 0 || strcasecmp(id, offer_host(w->facts, host, sizeof host)) == 0 ||
	    (domain && n >= len && strcasecmp(id + n - len, domain) == 0 && (n == len || id[n - len - 1] == '.'));
}

/*
 * Decide about a field whose name was seen before and may stand once (RFC 5322 3.6), or once in the client's Resent-
 * block. An identical copy is dropped, and so is a second Date, or another second field that says nothing about people.
 * Two different authors, recipients or subjects are refused: it is unclear what the client means. So are two different
 * fields of the block: the second one may belong to an older block. Sets *drop. Returns COMPLETE_OK or a refusal.
 */
static enum complete_result
judge_second(struct work *w, const struct field *f, bool *drop)
{
	static const uint32_t first_counts = UINT32_C(1) << FIELD_DATE | UINT32_C(1) << FIELD_MESSAGE_ID |
	    UINT32_C(1) << FIELD_IN_REPLY_TO | UINT32_C(1) << FIELD_REFERENCES | UINT32_C(1) << FIELD_MIME_VERSION;

	bool of_block = whose(w, f) == OF_BLOCK;

	*drop = (field_is_once(f->id) || of_block) && field_syntax(f->id) != FIELD_BLIND &&
	    (of_block ? w->met : w->seen) & bit(f->id);
	if (of_block)
		w->met |= bit(f->id);
	if (!*drop)
		w->first[f->id] = *f;
	if (!*drop || first_counts & bit(f->id) || field_is_same(w->text, *f, w->first[f->id]))
		return COMPLETE_OK;
	return refuse(w->c, field_name(f->id), 0, "there is more than one field");
}

/* Fields that others put on a message after it was submitted: those that a client sends are of an earlier delivery. */
static bool
is_of_a_mailbox(const struct field *f)
{
	return f->id == FIELD_RETURN_PATH || f->id == FIELD_CONTENT_LENGTH || f->id == FIELD_UIDL;
}

/* Is the field a Sender or Resent-Sender who is not the user, and who is replaced by option? */
static bool
is_false_sender(const struct work *w, const struct field *f)
{
	struct addrlist list;
	struct addrlist_item m;

	if ((f->id != FIELD_SENDER && f->id != FIELD_RESENT_SENDER) || w->rules->sender != SENDER_REPLACE || w->user.len == 0)
		return false;
	addrlist_begin(&list, w->text, f->value, f->end);
	return addrlist_next(&list, &m) != ADDRLIST_BOX || !is_user(w, &m);
}

/* The Sender of a message that is resent stays (RFC 5322 3.6.6), and so does that of an older block. */
static bool
may_replace_sender(const struct work *w, const struct field *f)
{
	return whose(w, f) == (w->block.end > 0 ? OF_BLOCK : OF_MESSAGE);
}

/* An address field or Resent- field without content is invalid and has no meaning. */
static bool
is_empty(const struct work *w, const struct field *f)
{
	return (field_syntax(f->id) != FIELD_OPAQUE || field_is_resent(f->id)) &&
	    addrlist_is_blank(w->text, f->value, f->end);
}

/* May the header not keep the field, whatever stands before it and whichever block it belongs to? */
static bool
has_no_place(const struct work *w, const struct field *f)
{
	return field_syntax(f->id) == FIELD_BLIND || is_of_a_mailbox(f) || is_empty(w, f) || must_be_replaced(w, f) ||
	    is_our_report(w, f);
}

/*
 * For mail/resent.h, before anything is edited: is the field removed? Of an invalid field in a Resent- block nothing is
 * said, for such a field is replaced, not only removed.
 */
static bool
removes(void *arg, const struct field *f)
{
	struct work *w = arg;

	if (has_no_place(w, f) || (field_is_once(f->id) && w->seen & bit(f->id)))
		return true;
	if (field_is_resent(f->id))
		return is_false_sender(w, f);
	w->seen |= bit(f->id);
	return false;
}

static enum complete_result
drop_field(struct work *w, const struct field *f)
{
	w->c->removed |= bit(f->id);
	return edits_add(&w->c->edits, f->name, f->next - f->name, "", 0) < 0 ? COMPLETE_ERROR : COMPLETE_OK;
}

static enum complete_result
take(struct work *w, const struct field *f)
{
	bool drop;
	const uint32_t qualified = w->c->qualified;
	size_t edits;
	enum field_syntax syntax = field_syntax(f->id);
	enum complete_result r = COMPLETE_OK;

	w->open_line = false;
	if (is_empty(w, f))
		return drop_field(w, f);
	edits = w->c->edits.n;
	r = judge_second(w, f, &drop);
	if (r != COMPLETE_OK)
		return r;
	/*
	 * Bcc is checked and removed. An invalid Date or Message-ID is removed as well. Then the field is missing, and is
	 * added like any other that is.
	 */
	if (drop)
		syntax = FIELD_BLIND;
	else if (syntax != FIELD_OPAQUE)
		r = check_addresses(w, f);
	else if (has_no_place(w, f))
		syntax = FIELD_BLIND;
	if (r != COMPLETE_OK)
		return r;
	if (may_replace_sender(w, f) && is_false_sender(w, f)) {
		syntax = FIELD_BLIND;
		w->c->edits.n = edits; /* what completed its address */
		w->c->qualified = qualified;
	}
	if (syntax == FIELD_BLIND)
		return drop_field(w, f);
	w->open_line = w->text[f->next - 1] != '\n';
	if (whose(w, f) == OF_OLDER_BLOCK)
		return is_not_ascii(w, f) ? refuse(w->c, field_name(f->id), 0, "there are octets that are not ASCII") : COMPLETE_OK;
	w->seen |= bit(f->id);
	if (f->id == FIELD_MESSAGE_ID)
		keep_msgid(w->c, w->text + f->value, f->end - f->value);
	return COMPLETE_OK;
}

/*
 * Remove f if it is the line that begins a message in an mbox file and a header field follows it. Returns COMPLETE_OK,
 * or COMPLETE_REFUSED for any other line that is not a field.
 */
static enum complete_result
judge_line(struct work *w, const struct field *f)
{
	static const char mbox[] = "From ";
	size_t pos = f->next;
	struct field next;

	if (f->name == 0 && w->n >= sizeof mbox && memcmp(w->text, mbox, strlen(mbox)) == 0 &&
	    header_next(w->text, w->n, &pos, &next) > 0) {
		w->c->mbox_line = true;
		return edits_add(&w->c->edits, 0, f->next, "", 0) < 0 ? COMPLETE_ERROR : COMPLETE_OK;
	}
	if (buf_printf(&w->c->why, "Line %zu is not a header field", header_line(w->text, f->name)) < 0)
		return COMPLETE_ERROR;
	return COMPLETE_REFUSED;
}

/*
 * Several authors need a Sender (RFC 5322 3.6.2, 3.6.6). By option the user is named where From does not name the user
 * (RFC 6409 8.1). The user who resends a message is not its Sender.
 */
static bool
wants_sender(const struct work *w, enum whose of)
{
	const struct people *people = &w->people[of];

	if (w->seen & bit(of == OF_BLOCK ? FIELD_RESENT_SENDER : FIELD_SENDER) || (of == OF_MESSAGE && w->block.end > 0))
		return false;
	return people->authors > 1 || (w->rules->sender != SENDER_NEEDED && w->user.len > 0 && !people->is_author);
}

/* Add the fields that the client's Resent- block must have, RFC 5322 3.6.6. off is the end of the block. */
static enum complete_result
close_block(struct work *w, size_t off)
{
	enum complete_result r = COMPLETE_OK;

	if (!(w->seen & bit(FIELD_RESENT_FROM)))
		r = add_user(w, off, FIELD_RESENT_FROM);
	else if (wants_sender(w, OF_BLOCK))
		r = add_user(w, off, FIELD_RESENT_SENDER);
	if (r == COMPLETE_OK && !(w->seen & bit(FIELD_RESENT_DATE)) && add_date(w, off, FIELD_RESENT_DATE) < 0)
		r = COMPLETE_ERROR;
	if (r == COMPLETE_OK && !(w->seen & bit(FIELD_RESENT_MESSAGE_ID)) &&
	    add_message_id(w, off, FIELD_RESENT_MESSAGE_ID) < 0)
		r = COMPLETE_ERROR;
	return r;
}

enum complete_result
complete(struct completion *c, const struct rules *rules, const struct header *h, const struct facts *f,
    const char *eol)
{
	struct work w = { .c = c, .rules = rules, .facts = f, .text = h->text.p, .n = h->text.len, .eol = eol };
	const struct resent_caller caller = { .removes = removes, .arg = &w };
	enum complete_result r = COMPLETE_OK;
	struct field field;
	size_t pos = 0;
	int more;

	note_user(&w);
	w.block = resent_find(w.text, w.n, &caller);
	w.seen = 0;
	while (r == COMPLETE_OK && (more = header_next(w.text, w.n, &pos, &field)) != 0) {
		r = more > 0 ? take(&w, &field) : judge_line(&w, &field);
		if (r == COMPLETE_OK && w.block.end == field.next)
			r = close_block(&w, field.next);
	}
	if (r == COMPLETE_OK && !(w.seen & bit(FIELD_FROM)))
		r = add_user(&w, w.n, FIELD_FROM);
	else if (r == COMPLETE_OK && wants_sender(&w, OF_MESSAGE))
		r = add_user(&w, w.n, FIELD_SENDER);
	if (r == COMPLETE_OK && !(w.seen & bit(FIELD_DATE)) && add_date(&w, w.n, FIELD_DATE) < 0)
		r = COMPLETE_ERROR;
	if (r == COMPLETE_OK && !(w.seen & bit(FIELD_MESSAGE_ID)) && add_message_id(&w, w.n, FIELD_MESSAGE_ID) < 0)
		r = COMPLETE_ERROR;
	if (r == COMPLETE_OK && w.seen & (bit(FIELD_CONTENT_TYPE) | bit(FIELD_CONTENT_ENCODING)) &&
	    !(w.seen & bit(FIELD_MIME_VERSION)) && add_field(&w, w.n, FIELD_MIME_VERSION, "1.0", "", "") < 0)
		r = COMPLETE_ERROR; /* without MIME-Version the fields of MIME have no meaning (RFC 2045 4) */
	return r;
}

void
completion_free(struct completion *c)
{
	edits_free(&c->edits);
	buf_free(&c->why);
	*c = (struct completion){ 0 };
}

bool
complete_is_bad_local(const char *key, size_t n)
{
	char text[ADDR_LOCAL_MAX + 3];
	struct addr a;
	int len = n > ADDR_LOCAL_MAX ? -1 : snprintf(text, sizeof text, "%.*s@x", (int)n, key);

	return len < 0 || addr_mailbox(text, (size_t)len, &a) < 0 || a.local_len != n || memcmp(a.text, key, n) != 0;
}
