#!/usr/bin/env bash
# Makes the Debian packages of this tree: board/deb.sh trixie|bookworm arm64|amd64
#
# They are built in a root of that release, made once by mmdebstrap and kept
# outside the tree, in ${XDG_CACHE_HOME:-~/.cache}/chalkbox. The root is of this
# machine's own architecture, and what is built for another one is cross-compiled,
# so that nothing is emulated. What was compiled stays in the root: a change
# compiles what it touches. The packages go to build/deb/RELEASE; when they are
# of this very tree already, nothing is done.
set -eu
cd "$(dirname "$0")/.."

release=$1
arch=$2
case $release:$arch in
trixie:arm64 | trixie:amd64) version_suffix=+deb13 ;;
bookworm:arm64 | bookworm:amd64) version_suffix=+deb12 ;;
*)
	echo "deb: RELEASE is trixie or bookworm, ARCH is arm64 or amd64, not $release, $arch" >&2
	exit 2
	;;
esac
own_arch=$(dpkg --print-architecture)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/chalkbox
out=build/deb/$release

say() { printf '%-6s %s\n' "$1" "$2"; }
sum() { sha256sum | cut -c1-16; }

# Mounts of our own, which end with us; and without root, root of our own files.
if [ -z "${CHALKBOX_IN_NAMESPACE:-}" ]; then
	export CHALKBOX_IN_NAMESPACE=1
	map=
	[ "$(id -u)" = 0 ] || map='--map-root-user --map-auto'
	# shellcheck disable=SC2086
	exec unshare $map --mount --pid --fork --mount-proc "$0" "$@"
fi

# what the packages are made of, by name
sources() {
	find Makefile app board firmware systemd build/web -name vm -prune -o -type f -print |
		LC_ALL=C sort
}

# the packages that are there, if they were made of what is here
up_to_date() {
	[ -e "$out/.$arch" ] && [ "$(head -n 1 "$out/.$arch")" = "$1" ] &&
		(cd "$out" && tail -n +2 ".$arch" | sha256sum --quiet --check) 2>/dev/null >&2
}

# Where this machine's apt gets Debian from; nothing: mmdebstrap knows one.
mirror() {
	apt-get indextargets 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' \
		--format '$(REPO_URI)' | grep -m 1 -E '^(https?|file):' || true
}

make_root() {
	local foreign= tools=build-essential,lintian
	say ROOT "$release for $arch"
	rm -rf "$root.new"
	if [ "$arch" != "$own_arch" ]; then
		foreign=,$arch
		tools+=,crossbuild-essential-$arch
	fi
	apt-config dump | grep -iE '^Acquire::https?::Proxy' >"$cache/proxy.conf" || true
	mmdebstrap --quiet --mode=root --variant=minbase \
		--architectures="$own_arch$foreign" --include="$tools" \
		--aptopt="$cache/proxy.conf" \
		--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
		--customize-hook='mkdir -p "$1/build/needs/debian"' \
		--customize-hook='upload board/debian/control /build/needs/debian/control' \
		--customize-hook='upload board/debian/changelog /build/needs/debian/changelog' \
		--customize-hook="chroot \"\$1\" apt-get -qq -y --no-install-recommends \
			-o Dpkg::Use-Pty=0 build-dep -a $arch /build/needs >/dev/null" \
		"$release" "$root.new" $(mirror)
	mv "$root.new" "$root"
}

# Brings the tree into the root. A file that says the same keeps its time, whatever
# its time is here, so that make compiles what differs.
copy_tree() {
	rm -rf "$root/build/new"
	mkdir -p "$root/build/new" "$root/build/chalkbox"
	sources | tar -c --files-from=- | tar -x -C "$root/build/new"
	cp -r board/debian "$root/build/new/debian"
	sed -i "1s/)/$version_suffix)/; 1s/unstable/$release/" "$root/build/new/debian/changelog"
	rsync -rlpc --delete --exclude=/build/release --exclude=/build/gen \
		"$root/build/new/" "$root/build/chalkbox/"
}

in_root() {
	mount -t proc proc "$root/proc"
	[ -c "$root/dev/null" ] || mount --rbind /dev "$root/dev"
	env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
		chroot "$root" sh -euc "$1"
}

version=$(sed -n 's/^VERSION := //p' Makefile)
if [ "$(sed -n '1s/.*(\(.*\)).*/\1/p' board/debian/changelog)" != "$version" ]; then
	echo "deb: board/debian/changelog does not begin with version $version" >&2
	exit 1
fi

needs=$( (sed '/^$/q' board/debian/control; declare -f make_root) | sum)
key=$( (sources | xargs -d '\n' sha256sum; echo "$release $arch") | sum)
if up_to_date "$key"; then
	exit 0
fi
mkdir -p "$cache" "$out"
root=$cache/$release-$arch-$needs
exec 9>"$cache/$release-$arch.lock"
flock 9
[ -d "$root" ] || make_root
copy_tree
say DEB "$out ($arch)"
in_root "
	cd /build/chalkbox
	rm -f ../*.deb ../*.changes ../*.buildinfo
	export DEB_BUILD_OPTIONS=nocheck
	if ! dpkg-buildpackage -a$arch -us -uc -b -nc >../log 2>&1; then
		tail -n 30 ../log
		exit 1
	fi
"
rm -f "$out"/*_"$arch".deb
cp "$root"/build/*.deb "$out/"
(echo "$key"; cd "$out" && sha256sum -- *_"$arch".deb) >"$out/.$arch"
ls "$out"/*_"$arch".deb
