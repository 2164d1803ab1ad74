/* ISC licence, see LICENSE. */
#ifndef MSA_BASE_USERTABLE_H
#define MSA_BASE_USERTABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/table.h"

/*
 * A table with one record per user. The key is the user's name as username_fold makes it. The record "*" is for every
 * user without a record, the record "-" for peers that need not authenticate. A record is a list of items, separated
 * by white space or commas.
 */
enum { USERTABLE_WHY_MAX = 400 };

struct usertable {
	/*
	 * Set these two before usertable_open. bad returns the first invalid item in list[0..n) and sets *len to its
	 * length, or returns NULL if all are valid. what is the reason to report for an invalid item: "not an address".
	 */
	const char *(*bad)(const char *list, size_t n, size_t *len);
	const char *what;
	/* Optional: returns true for a key that no look-up can find, besides one with a capital letter. */
	bool (*is_bad_key)(const char *key, size_t n);
	bool any_case; /* keys may have capital letters; is_bad_key decides alone */
	/* Set if a key may also be of this form; then a user of such a name has no record of their own. */
	bool labels; /* "user/label", for a password of the user: usertable_get_label */
	bool groups; /* "&name" without an at sign, for a group: the caller looks for it */
	/* Optional: returns why a record cannot be used though its key and its list are valid, or NULL. */
	const char *(*bad_record)(void *arg, struct table *t, const char *key, size_t n);
	void *arg;

	struct table table;
	bool open;
	char why[USERTABLE_WHY_MAX]; /* why the last function that sets it failed */
};

/*
 * Open the table at path. If whole is set, check every record, so that an error is found now and not by a user whose
 * mail gets 451: a list with an invalid item, or a key with a capital letter, which no look-up can find.
 * Returns 0, or -1 with u->why set.
 */
int usertable_open(struct usertable *u, const char *path, bool whole);

/*
 * Check one record of t, or one that t will have; t NULL: bad_record is not asked. usertable_open makes this check of
 * each record. Returns 0, or -1 with u->why set.
 */
int usertable_check(struct usertable *u, struct table *t, const char *key, size_t n, const char *value, size_t len);

/* Open the file again and check every record. Returns 0, or -1 with u->why set; then the old table stays open. */
int usertable_renew(struct usertable *u);

/*
 * Find the record of user; user is NULL for a peer. Returns as table_get does. A name longer than TABLE_KEY_MAX cannot
 * be looked up: the result is -1 with errno set (ENAMETOOLONG), so the user is not treated as one without a record.
 */
int usertable_get(struct usertable *u, const char *user, const char **value, size_t *len);

/* The same for a user whose name can be written in n ways, n > 0: the first of the names that has a record counts. */
int usertable_get_any(struct usertable *u, const char *const *names, size_t n, const char **value, size_t *len);

/*
 * Find the record of the password with this label: "user/label", for the first of the user's names that has one. There
 * is no record for all users. Returns as table_get; 0 also if label is none.
 */
int usertable_get_label(struct usertable *u, const char *const *names, size_t n, const char *label, const char **value,
    size_t *len);

/* Returns the next item between *p and end, sets *len and moves *p after the item; NULL if there is no item left. */
const char *usertable_item(const char **p, const char *end, size_t *len);

/* Set u->why for an invalid item in the record of user; user is NULL for a peer. */
void usertable_blame(struct usertable *u, const char *user, const char *item, size_t len);

void usertable_close(struct usertable *u);

#endif
