/* ISC licence, see LICENSE. */
#ifndef MSA_BASE_NUMBER_H
#define MSA_BASE_NUMBER_H

/*
 * Parse s, decimal digits and nothing else (no sign, no space), as a number from least to most, which are not negative.
 * Every number that an operator writes is read here.
 * Returns 0, or -1 with errno EINVAL (not all digits, or empty) or ERANGE (outside of least to most); then *n is
 * unchanged.
 */
int number_parse(const char *s, long long least, long long most, long long *n);

#endif
