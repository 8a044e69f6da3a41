#!/bin/sh
# What the end-to-end tests and the demo need besides packages: Postfix unpacked
# aside, and the two names of users it wants. They are made the way Debian's own
# package makes them; nothing else of the system changes, and nothing starts.
# "prepare.sh exim" does the same for the Exim of the tests.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

have() { getent "$1" "$2" >/dev/null; }
make() { echo "prepare: making the system $1 $2"; }

users() {
  have group postdrop || { make group postdrop; groupadd --system postdrop; }
  have group postfix || { make group postfix; groupadd --system postfix; }
  have passwd postfix || {
    make user postfix
    useradd --system --gid postfix --home-dir /var/spool/postfix --no-create-home \
      --shell /usr/sbin/nologin postfix
  }
}

exim_user() {
  have group Debian-exim || { make group Debian-exim; groupadd --system Debian-exim; }
  have passwd Debian-exim || {
    make user Debian-exim
    useradd --system --gid Debian-exim --home-dir /var/spool/exim4 --no-create-home \
      --shell /usr/sbin/nologin Debian-exim
  }
}

[ "$(id -u)" = 0 ] || { echo "prepare: needs root" >&2; exit 1; }
users
"$here/aside.sh" postfix
[ "${1:-}" = exim ] || exit 0
exim_user
"$here/aside.sh" exim4-daemon-heavy
