#!/usr/bin/env bash
# Folders that hold a Debian release, for building and trying packages:
#
#	board/root.sh make ROOT RELEASE OPTION...      makes one, by mmdebstrap's options
#	board/root.sh run [--over FOLDER] ROOT COMMAND  runs a shell's command in it
#	board/root.sh remove FOLDER...                 removes them, whoever owns what
#
# With --over, what the command changes is kept in FOLDER; ROOT stays as it is.
# Needs no root: root of a user namespace is enough.
set -eu

# Mounts and processes of our own, which end with us.
if [ -z "${CHALKBOX_ROOT_SH:-}" ]; then
	export CHALKBOX_ROOT_SH=1
	map=()
	[ "$(id -u)" = 0 ] || map=(--map-root-user --map-auto)
	exec unshare "${map[@]}" --mount --pid --fork --kill-child --mount-proc "$0" "$@"
fi

# Where this machine's apt gets Debian from; nothing: mmdebstrap knows one.
mirror() {
	apt-get indextargets 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' \
		--format '$(REPO_URI)' | grep -m 1 -E '^(https?|file):' || true
}

make_root() {
	local root=$1 release=$2 proxies
	shift 2
	mapfile -t proxies < <(apt-config dump | grep -iE '^Acquire::https?::Proxy')
	mkdir -p "$(dirname "$root")"
	rm -rf "$root.new"
	# what a power cut breaks is made anew
	mmdebstrap --quiet --mode=root --variant=minbase --dpkgopt=force-unsafe-io \
		"${proxies[@]/#/--aptopt=}" "$@" "$release" "$root.new" $(mirror)
	rm -rf "$root"
	mv "$root.new" "$root"
}

run() {
	local root
	if [ "$1" = --over ]; then
		mkdir -p "$2/changes" "$2/work" "$2/root"
		mount -t overlay overlay "$2/root" \
			-o "lowerdir=$3,upperdir=$2/changes,workdir=$2/work,userxattr"
		set -- "$2/root" "$4"
	fi
	root=$1
	mount -t proc proc "$root/proc"
	[ -c "$root/dev/null" ] || mount --rbind /dev "$root/dev"
	exec env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
		DEBIAN_FRONTEND=noninteractive chroot "$root" sh -euc "$2"
}

command=$1
shift
case $command in
make) make_root "$@" ;;
run) run "$@" ;;
remove) rm -rf "$@" ;;
esac
