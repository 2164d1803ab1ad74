#include "chain/facts.h"
