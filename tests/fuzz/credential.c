/* ISC licence, see LICENSE. */
#include "auth/credential.h"

#include <string.h>

#include "auth/userdb_edit.h"
#include "fuzz.h"

/* A verifier is the same after it was written, and is found by its hash alone. */
static void
again(const char *s)
{
	struct credential_scram v, w, first;
	struct buf b = { 0 };
	size_t i, n = 0;

	for (i = 0; i < CREDENTIAL_HASHES; i++) {
		if (credential_scram_parse(&v, s, &credential_hashes[i]) < 0)
			continue;
		MUST(v.hash == &credential_hashes[i] && v.salt_len > 0 && v.iterations >= CREDENTIAL_ITERATIONS_MIN);
		MUST(credential_scram_format(&b, &v) == 0 && credential_is_valid(b.p));
		MUST(credential_scram_parse(&w, b.p, NULL) == 0 && w.hash == v.hash && w.iterations == v.iterations);
		MUST(w.salt_len == v.salt_len && memcmp(w.salt, v.salt, v.salt_len) == 0);
		MUST(memcmp(w.stored, v.stored, v.hash->size) == 0 && memcmp(w.server, v.server, v.hash->size) == 0);
		if (n++ == 0)
			MUST(credential_scram_parse(&first, s, NULL) == 0 && first.hash == v.hash);
		buf_clear(&b);
	}
	MUST(n > 0 || credential_scram_parse(&v, s, NULL) < 0);
	MUST(n > 0 || !credential_is_scram(s) || !credential_is_valid(s));
	buf_free(&b);
}

/* What is imported is one line of the store, and stays as it is when it is imported again. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf text = { 0 }, out = { 0 }, twice = { 0 };

	if (buf_add(&text, data, size) < 0 || buf_add(&text, "", 1) < 0)
		return 0;
	again(text.p);
	if (userdb_import(&out, text.p) == 0) {
		MUST(credential_is_valid(out.p) && !strpbrk(out.p, "\n\t") && out.len <= strlen(text.p));
		MUST(userdb_import(&twice, out.p) == 0 && twice.len == out.len && memcmp(twice.p, out.p, out.len) == 0);
		if (credential_is_scram(out.p))
			again(out.p);
	} else
		MUST(out.len == 0);
	buf_free(&text);
	buf_free(&out);
	buf_free(&twice);
	return 0;
}
