#!/bin/sh
# Makes the users, groups and folders of an ordinary installation, with the modes
# that keep each program to its own: see tidings.conf beside this file. Safe to run
# again. Give the group that your MTA connects with (Postfix: postfix).
set -eu

mta_group=${1:-postfix}
getent group "$mta_group" >/dev/null || { echo "prepare: there is no group $mta_group: name your MTA's as an argument" >&2; exit 64; }

group() { getent group "$1" >/dev/null || groupadd --system "$1"; }
user() { getent passwd "$1" >/dev/null || useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin --gid "$2" "$1"; }
member() { usermod --append --groups "$2" "$1"; }
folder() { mkdir -p "$4" && chown "$1:$2" "$4" && chmod "$3" "$4"; }

# tidings reads keys and directory; the other two share a journal with policyd.
for g in tidings tidings-milter tidings-tracker; do group "$g"; done
user tidings-policyd tidings
user tidings-milter tidings
user tidings-tracker tidings
member tidings-policyd tidings-milter
member tidings-policyd tidings-tracker
member tidings-milter tidings-milter
member tidings-tracker tidings-tracker
# Debian's log of Postfix, which proves that a mail was accepted.
getent group adm >/dev/null && member tidings-policyd adm

folder root tidings 0750 /etc/tidings
folder root root 0755 /var/lib/tidings
folder root root 0755 /var/lib/tidings/journal
folder tidings-milter tidings-milter 2770 /var/lib/tidings/journal/milter
folder tidings-milter tidings-milter 2770 /var/lib/tidings/journal/filter
folder tidings-tracker tidings-tracker 2770 /var/lib/tidings/journal/tracker
folder root root 0755 /var/lib/tidings/spool
folder tidings-milter tidings-milter 2770 /var/lib/tidings/spool/milter
folder tidings-policyd tidings 0700 /var/lib/tidings/state
folder tidings-policyd tidings 2750 /var/lib/tidings/directory
folder root root 0755 /run/tidings
folder tidings-milter "$mta_group" 2750 /run/tidings/milter
folder tidings-policyd root 0750 /run/tidings/control
echo "prepare: users, groups and folders are there; /run/tidings goes with a reboot: run this again, or make it by tmpfiles.d"
