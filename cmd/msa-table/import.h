/* ISC licence, see LICENSE. */
#ifndef IMPORT_H
#define IMPORT_H

#include "build.h"

/*
 * Print the text of a table that says what another program's file says: format "postfix" is a table of
 * smtpd_sender_login_maps; "passwd" is passwd(5), shadow(5) or a passwd-file of Dovecot, of which only the names count.
 * domain, which may be NULL, completes names without one. Returns the exit code after complaints; -1: there is no such
 * format for this kind of table.
 */
int import_text(struct job *j, const char *format, const char *domain, const char *text, size_t n);

#endif
