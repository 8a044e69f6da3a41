#!/bin/sh
# Runs the end-to-end tests: our programs beside a real Postfix, as root, since
# Postfix and the daemons each run as their own user. `make check` calls this;
# by hand: tests/e2e/run.sh [pytest's options and files].
set -eu
here=$(cd "$(dirname "$0")" && pwd)
TIDINGS_BUILD=${TIDINGS_BUILD:-$(cd "$here/../.." && pwd)/build}
TIDINGS_ASIDE=${TIDINGS_ASIDE:-$TIDINGS_BUILD/aside}
# Debian's own Python, which has Debian's pytest; nothing written to the source.
python=/usr/bin/python3
PYTHONDONTWRITEBYTECODE=1
export TIDINGS_BUILD TIDINGS_ASIDE PYTHONDONTWRITEBYTECODE

# A person without root may go without these tests; a CI may not.
skip() {
  echo "e2e: not run: $*"
  [ -n "${CI:-}" ] && exit 1
  exit 77
}
[ "$(id -u)" = 0 ] || skip "needs root"
$python -c 'import pytest' 2>/dev/null || skip "needs python3-pytest (./bootstrap check installs it)"

"$here/prepare.sh" exim
# A clean stop after 15 minutes: the fixtures still stop what they started.
cd "$here"
exec timeout --signal=INT --kill-after=60 "${TIDINGS_E2E_SECONDS:-900}" \
  $python -m pytest -q -rfEs -p no:cacheprovider "$@"
