/* ISC licence, see LICENSE. */
#include "mail/resent.h"

#include <stdint.h>

#include "mail/addrlist.h"

/* Resent- fields with nothing else between them. */
struct run {
	size_t begin, end; /* end 0: there is none */
	uint32_t names;    /* the fields, but those that are removed, as bits of enum field_id */
	size_t last_from;  /* where the last Resent-From is; counts only if names has one */
};

static uint32_t
bit(enum field_id id)
{
	return UINT32_C(1) << id;
}

static bool
is_blank(const char *text, const struct field *f)
{
	return addrlist_is_blank(text, f->value, f->end);
}

/* Find the next run from *pos on, and move *pos after it. Returns false if none is above the first trace field. */
static bool
next_run(const char *text, size_t n, const struct resent_caller *caller, size_t *pos, struct run *run)
{
	struct field f;
	int more;

	*run = (struct run){ .end = 0 };
	while ((more = header_next(text, n, pos, &f)) != 0) {
		bool is_removed;

		if (more > 0 && f.id == FIELD_RECEIVED) {
			*pos = n; /* what is below was there before the client */
			break;
		}
		is_removed = more > 0 && caller->removes(caller->arg, &f);
		if (more < 0 || !field_is_resent(f.id)) {
			if (run->end > 0 && !is_removed)
				break;
			continue;
		}
		if (is_blank(text, &f))
			continue;
		if (run->end == 0)
			run->begin = f.name;
		run->end = f.next;
		if (!is_removed)
			run->names |= bit(f.id);
		if (f.id == FIELD_RESENT_FROM)
			run->last_from = f.name;
	}
	return run->end > 0;
}

/* Returns where the first block of the run ends: at the run's end, or where another block begins. */
static size_t
first_block(const char *text, const struct resent_caller *caller, const struct run *run)
{
	size_t pos = run->begin;
	uint32_t seen = 0;
	struct field f;

	while (pos < run->end && header_next(text, run->end, &pos, &f) > 0) {
		if (!field_is_resent(f.id) || is_blank(text, &f) || caller->removes(caller->arg, &f))
			continue;
		if (seen & bit(f.id) && seen & bit(FIELD_RESENT_FROM) && f.name <= run->last_from)
			return f.name;
		seen |= bit(f.id);
	}
	return run->end;
}

struct resent
resent_find(const char *text, size_t n, const struct resent_caller *caller)
{
	struct resent block = { .end = 0 };
	uint32_t names = 0;
	struct run run;
	size_t pos = 0;

	while (next_run(text, n, caller, &pos, &run) && !(run.names & names)) {
		if (block.end == 0)
			block.begin = run.begin;
		block.end = first_block(text, caller, &run);
		if (block.end < run.end)
			break;
		names |= run.names;
	}
	return block;
}

bool
resent_has(const struct resent *block, const struct field *f)
{
	return field_is_resent(f->id) && f->name >= block->begin && f->name < block->end;
}
