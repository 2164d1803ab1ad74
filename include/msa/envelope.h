#include "chain/envelope.h"
