/* ISC licence, see LICENSE. */
#ifndef MSA_BASE_NUMBER_H
#define MSA_BASE_NUMBER_H

/*
 * Parse a number that an operator wrote: decimal digits only, no sign, no space. The value must lie between least and
 * most, inclusive; neither may be negative.
 * Returns 0, or -1 with errno set (EINVAL: empty, or not only digits; ERANGE: below least or above most) and *n
 * unchanged.
 */
int number_parse(const char *s, long long least, long long most, long long *n);

#endif
