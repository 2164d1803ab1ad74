/* ISC licence, see LICENSE. */
#ifndef MSA_TLSD_TLSSTEP_H
#define MSA_TLSD_TLSSTEP_H

#include "tlsd/tlspump.h"

/* Do one thing that can be done in the state that p is in: of use to tlspump only. 0: nothing can. */
int tlsstep(struct tlspump *p);

#endif
