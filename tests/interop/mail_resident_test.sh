#!/bin/sh
# What mail_test.sh asks of the chain, asked of MODE=resident.
# ISC licence, see LICENSE.
MODE=resident
SHUNIT_PARENT=$(dirname "$0")/mail_test.sh # where shunit2 looks for the tests
export MODE SHUNIT_PARENT
# shellcheck source=tests/interop/mail_test.sh
. "$(dirname "$0")/mail_test.sh"
