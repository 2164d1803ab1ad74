/* ISC licence, see LICENSE. */
#ifndef MSA_TLSD_EXAMINE_H
#define MSA_TLSD_EXAMINE_H

#include "base/finding.h"
#include "tlsd/serverconf.h"

/* Answer what msa-check(8) asks tlsd, whose words are conf: with -l conf->address is set. Serves no connection. */
void examine(const struct tlsserver_conf *conf, const struct finding *asked);

#endif
