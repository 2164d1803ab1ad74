/* ISC licence, see LICENSE. */
#ifndef TLSSTEP_H
#define TLSSTEP_H

#include "tlspump.h"

/* Do one thing that can be done in the state that p is in: of use to tlspump only. 0: nothing can. */
int tlsstep(struct tlspump *p);

#endif
