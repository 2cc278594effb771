#!/usr/bin/env bash
# Makes the Debian packages of this tree: board/deb.sh trixie|bookworm arm64|amd64
#
# They are built in a root of that release, made once and kept outside the tree, in
# ${XDG_CACHE_HOME:-~/.cache}/chalkbox. The root is of this machine's own
# architecture, and what is built for another one is cross-compiled, so that nothing
# is emulated. What was compiled stays in the root: a change compiles what it
# touches. The packages go to build/deb/RELEASE; when they are of this very tree
# already, nothing is done.
set -eu
cd "$(dirname "$0")/.."

release=$1
arch=$2
case $release:$arch in
trixie:arm64 | trixie:amd64) suffix=+deb13 ;;
bookworm:arm64 | bookworm:amd64) suffix=+deb12 ;;
*)
	echo "deb: RELEASE is trixie or bookworm, ARCH is arm64 or amd64;" \
		"not $release, $arch" >&2
	exit 2
	;;
esac
own_arch=$(dpkg --print-architecture)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/chalkbox
out=build/deb/$release

say() { printf '%-6s %s\n' "$1" "$2"; }
sum() { sha256sum | cut -c 1-16; }

# $(fails LOG): the end of what went wrong
fails() {
	tail -n 40 "$1" >&2
	echo "deb: failed; all of it is in $1" >&2
	exit 1
}

# what the packages are made of, by name
sources() {
	find Makefile app board firmware systemd build/web -path board/vm -prune -o \
		-type f -print | LC_ALL=C sort
}

# the packages that are there, if they were made of what is here
up_to_date() {
	[ -e "$out/.$arch" ] && [ "$(head -n 1 "$out/.$arch")" = "$1" ] &&
		(cd "$out" && tail -n +2 ".$arch" | sha256sum --status --check) 2>/dev/null
}

# What debian/control asks for, and what cross-compiles and looks the result over.
make_root() {
	local architectures=$own_arch tools=build-essential,lintian triplet
	if [ "$arch" != "$own_arch" ]; then
		triplet=$(dpkg-architecture -a"$arch" -qDEB_HOST_GNU_TYPE 2>/dev/null)
		architectures+=,$arch
		tools+=,gcc-${triplet//_/-}
	fi
	board/root.sh make "$root" "$release" --architectures="$architectures" \
		--include="$tools" --dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		--customize-hook='mkdir -p "$1/build/needs"' \
		--customize-hook='copy-in board/debian /build/needs' \
		--customize-hook="chroot \"\$1\" apt-get -qq -y --no-install-recommends \
			-o Dpkg::Use-Pty=0 build-dep -a $arch /build/needs"
}

# Brings the tree into the root. A file that says the same keeps its time, whatever
# its time is here, so that make compiles what differs.
copy_tree() {
	local new=$root/build/new
	rm -rf "$new"
	mkdir -p "$new" "$root/build/chalkbox"
	sources | tar -c --files-from=- | tar -x -C "$new"
	cp -r board/debian "$new/debian"
	sed -i "1s/)/$suffix)/; 1s/unstable/$release/" "$new/debian/changelog"
	rsync -rlpc --delete --exclude=/build/release --exclude=/build/gen \
		"$new/" "$root/build/chalkbox/"
}

version=$(sed -n 's/^VERSION := //p' Makefile)
if [ "$(sed -n '1s/.*(\(.*\)).*/\1/p' board/debian/changelog)" != "$version" ]; then
	echo "deb: board/debian/changelog does not begin with version $version" >&2
	exit 1
fi

needs=$( (sed '/^$/q' board/debian/control; declare -f make_root) | sum)
root=$cache/$release-$arch-$needs
log=$cache/$release-$arch.log
mkdir -p "$cache" "$out"
exec 9>"$cache/$release-$arch.lock"
flock 9

key=$( (sources | xargs -d '\n' sha256sum; echo "$needs") | sum)
if up_to_date "$key"; then
	say DEB "$out ($arch) is up to date"
	exit 0
fi
if [ ! -d "$root" ]; then
	say ROOT "$release for $arch, some minutes, once"
	# those that no tree has needed for long
	find "$cache" -maxdepth 1 -name "$release-$arch-*" -mtime +30 \
		-exec board/root.sh remove {} +
	make_root >"$log" 2>&1 || fails "$log"
fi
touch "$root"
say DEB "$out ($arch)"
copy_tree
# Lintian is asked for everything but an address: the project has none.
board/root.sh run "$root" "
	cd /build/chalkbox
	rm -f ../*.deb ../*.changes ../*.buildinfo
	DEB_BUILD_OPTIONS=nocheck dpkg-buildpackage -a$arch -us -uc -b -nc
	lintian --no-cfg --allow-root --fail-on error,warning ../*.changes \
		--suppress-tags bogus-mail-host,bogus-mail-host-in-debian-changelog
" >"$log" 2>&1 || fails "$log"
rm -f "$out"/*_"$arch".deb
cp "$root"/build/*_"$arch".deb "$out/"
(echo "$key"; cd "$out" && sha256sum -- *_"$arch".deb) >"$out/.$arch"
ls "$out"/*_"$arch".deb
