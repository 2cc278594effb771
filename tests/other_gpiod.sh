#!/bin/bash
# A machine has libgpiod 1.x or 2.x; this compiles the backend for the other one
# against the other Debian release's headers, fetched from the mirror this machine
# uses anyway. Skipped (77) with the reason where that cannot be had.
set -u
skip() {
	echo "skipped: $1"
	exit 77
}

if pkg-config --atleast-version=2 libgpiod; then
	api=1 suite=bookworm
else
	api=2 suite=trixie
fi
command -v apt-get >/dev/null || skip "no apt on this machine"
site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null |
	grep -v security | head -n 1)
[ -n "$site" ] || skip "apt has no package lists"

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp/lists/partial" "$tmp/cache/archives/partial" "$tmp/root"
echo "deb $site $suite main" >"$tmp/sources.list"
apt() {
	apt-get -qq -o Dir::Etc::SourceList="$tmp/sources.list" -o Dir::Etc::SourceParts=- \
		-o Dir::State::Lists="$tmp/lists" -o Dir::Cache="$tmp/cache" -o Debug::NoLocking=1 -o Dir::State::status=/dev/null \
		-o APT::Sandbox::User=root -o APT::Get::List-Cleanup=0 "$@"
}
apt update >/dev/null 2>"$tmp/log" || skip "no lists of $suite: $(tail -n 1 "$tmp/log")"
(cd "$tmp" && apt download libgpiod-dev >/dev/null 2>"$tmp/log") ||
	skip "no libgpiod-dev of $suite: $(tail -n 1 "$tmp/log")"
dpkg -x "$tmp"/libgpiod-dev_*.deb "$tmp/root"

gcc -std=c17 -D_GNU_SOURCE -I. -isystem "$tmp/root/usr/include" -Wall -Wextra -Werror \
	-Wno-unused-parameter -fsyntax-only "firmware/gpio$api.c" || exit 1
echo "firmware/gpio$api.c compiles against libgpiod of $suite"
