#!/bin/sh
# Unpacks Debian packages beside the system instead of installing them, so that
# a program can be run without replacing, configuring or starting anything on
# this machine: installing Postfix, for one, would remove an Exim that is there.
#
#   aside.sh [-d FOLDER] PACKAGE...
#
# Each PACKAGE ends up in FOLDER/PACKAGE (FOLDER is $TIDINGS_ASIDE, or
# build/aside in the source tree), with its version in the file .version there;
# a copy of the version that apt would install is kept and used again, without a
# word. The libraries a package needs are installed the ordinary way, as root.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
folder=${TIDINGS_ASIDE:-$top/build/aside}
export DEBIAN_FRONTEND=noninteractive

say() { echo "aside: $*"; }
die() { echo "aside: $*" >&2; exit 1; }

while getopts d: option; do
  case $option in
    d) folder=$OPTARG ;;
    *) die "usage: aside.sh [-d FOLDER] PACKAGE..." ;;
  esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || die "usage: aside.sh [-d FOLDER] PACKAGE..."

# The version apt would install; empty if it knows none.
candidate() {
  LC_ALL=C apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: //p' | sed 's/^(none)$//'
}

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

updated=no
update() {
  [ "$updated" = no ] || return 0
  [ "$(id -u)" = 0 ] || die "apt knows no such package; as root: apt-get update"
  say "reading the package lists (apt-get update)"
  apt-get update -q=2
  updated=yes
}

# Downloads package $1 into the empty folder $2.
download() {
  if [ "$(id -u)" = 0 ] && id _apt >/dev/null 2>&1; then chown _apt "$2"; fi
  (cd "$2" && apt-get download -q=2 "$1")
}

# The libraries among the dependencies of the package file $1, one a line. What
# serves the maintainer scripts (debconf, adduser...) is of no use here, and a
# dependency on another program is a package to unpack aside in its own right.
libraries() {
  for field in Pre-Depends Depends; do
    dpkg-deb -f "$1" "$field" | tr ',' '\n' | sed 's/|.*//; s/(.*//; s/:any//; s/ //g'
  done | grep -E '^(lib.*|netbase)$' | sort -u
}

install_libraries() {
  missing=
  for library in $(libraries "$1"); do
    is_installed "$library" || missing="$missing $library"
  done
  [ -n "$missing" ] || return 0
  [ "$(id -u)" = 0 ] || die "libraries are missing; as root: apt-get install --no-install-recommends$missing"
  say "installing libraries:$missing"
  # Unquoted: one word a package. --no-remove: nothing that is here goes away.
  # shellcheck disable=SC2086
  apt-get install -y -q --no-install-recommends --no-remove $missing >"$temp/apt.log" 2>&1 </dev/null || {
    cat "$temp/apt.log" >&2
    die "apt-get could not install$missing"
  }
}

unpack() {
  package=$1
  version=$(candidate "$package")
  if [ -f "$folder/$package/.version" ]; then
    have=$(cat "$folder/$package/.version")
    if [ -z "$version" ] || [ "$have" = "$version" ]; then
      return 0
    fi
  fi
  [ -n "$version" ] || update
  temp=$(mktemp -d)
  trap 'rm -rf "$temp"' EXIT
  mkdir "$temp/deb"
  chmod 755 "$temp"
  # Lists older than the archive name files that are gone: read them anew, once.
  download "$package" "$temp/deb" 2>/dev/null || { update; download "$package" "$temp/deb"; }
  file=$(echo "$temp"/deb/*.deb)
  version=$(dpkg-deb -f "$file" Version)
  install_libraries "$file"
  mkdir -p "$folder"
  rm -rf "$folder/$package" "$folder/$package.new"
  dpkg-deb -x "$file" "$folder/$package.new"
  echo "$version" >"$folder/$package.new/.version"
  mv "$folder/$package.new" "$folder/$package"
  rm -rf "$temp"
  trap - EXIT
  say "unpacked $package $version in $folder/$package"
}

for package; do
  unpack "$package"
done
