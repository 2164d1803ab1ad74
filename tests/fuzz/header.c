/* ISC licence, see LICENSE. */
#include "../../cmd/qualify/complete.h"

#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/os.h"
#include "fuzz.h"
#include "mail/addrlist.h"
#include "mail/authres.h"
#include "mail/header.h"
#include "mail/merge.h"
#include "msa/msgfile.h"

/* Check the offsets of every field and of every address in it. */
static void
walk(const struct header *h)
{
	const char *text = h->text.p;
	size_t pos = 0, last = 0;
	struct field f;
	int r;

	while ((r = header_next(text, h->text.len, &pos, &f)) != 0) {
		struct addrlist list;
		struct addrlist_item m;
		enum addrlist_result got;
		char id[16];

		MUST(f.next > last && f.next <= h->text.len && pos == f.next);
		last = f.next;
		if (r < 0)
			continue;
		MUST(f.name < f.name_end && f.name_end < f.value && f.value <= f.end && f.end <= f.next);
		MUST(authres_id(text, f.value, f.end, id, sizeof id) < sizeof id);
		addrlist_begin(&list, text, f.value, f.end);
		while ((got = addrlist_next(&list, &m)) == ADDRLIST_BOX) {
			struct addr a;

			MUST(m.local >= f.value && m.local <= m.local_end && m.local_end <= f.end);
			MUST(m.domain <= m.domain_end && m.domain_end <= f.end && m.name <= m.name_end);
			MUST((m.labels == 0) == (m.domain == m.domain_end));
			if (addrlist_addr(text, &m, &a) == 0)
				MUST(a.len == strlen(a.text) && a.len <= ADDR_MAILBOX_MAX);
		}
		MUST(got == ADDRLIST_END || (list.pos >= f.value && list.pos <= f.end));
	}
}

/* Merged once, the fields are merged. */
static void
merge(const struct header *h)
{
	struct buf once = { 0 }, twice = { 0 };
	uint32_t merged;

	if (merge_lists(&once, h->text.p, h->text.len, "\r\n", &merged) > 0)
		MUST(merged != 0 && merge_lists(&twice, once.p, once.len, "\r\n", &merged) == 0);
	buf_free(&once);
	buf_free(&twice);
}

/* What a site and an envelope want. */
struct wish {
	struct rules rules;
	bool is_ascii;
};

/* Complete the message in fd, in which nothing is to be done if it is complete. Returns a new file, or -1: refused. */
static int
complete_file(int fd, const struct wish *wish, bool is_complete)
{
	struct facts facts = { 0 };
	struct header h = { 0 };
	struct completion c = { .is_ascii = wish->is_ascii };
	struct msgfile m = { 0 };
	int out = -1;

	MUST(facts_set(&facts, "MSA_MESSAGE", "x") == 0 && facts_set(&facts, "MSA_HOST", "mx.test") == 0 &&
	    facts_set(&facts, "SMTPAUTHUSER", "alice@example.net") == 0);
	if (header_read(&h, fd, HEADER_MAX) == HEADER_OK) {
		off_t size = file_size(fd);

		walk(&h);
		merge(&h);
		if (complete(&c, &wish->rules, &h, &facts, "\r\n") == COMPLETE_OK) {
			MUST(!is_complete || (c.edits.n == 0 && c.removed == 0 && c.added == 0));
			MUST(edits_write(&c.edits, h.text.p, h.text.len, &m) == 0);
			MUST(msgfile_add_file(&m, fd, (off_t)h.text.len, size - (off_t)h.text.len) == 0);
			out = msgfile_finish(&m);
			MUST(out >= 0);
		} else
			MUST(c.why.len == 0 || c.why.len < 900);
	}
	completion_free(&c);
	header_free(&h);
	facts_free(&facts);
	return out;
}

/* A completed message is complete: nothing is edited when it is completed again. The size chooses what is wanted. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int senders[] = { SENDER_NEEDED, SENDER_ADD, SENDER_REPLACE };
	struct wish wish = { .rules = { .domain = "example.net", .any_local = true, .suffix = "example.net" } };
	struct msgfile m = { 0 };
	int in, once, twice;

	wish.rules.sender = senders[size % 3];
	wish.is_ascii = size / 3 % 2;
	MUST(msgfile_add(&m, data, size) == 0);
	in = msgfile_finish(&m);
	MUST(in >= 0);
	MUST(header_would_join(in) >= 0);
	once = complete_file(in, &wish, false);
	if (once >= 0) {
		twice = complete_file(once, &wish, true);
		MUST(twice >= 0);
		MUST(file_size(once) == file_size(twice));
		close(twice);
		close(once);
	}
	close(in);
	return 0;
}
