#!/bin/sh
# Every manual page is well formed, and every command line's --help works.
set -u
bad=0
for page in app/cli/chalkbox.1 firmware/chalkboxd.8 app/base/chalkbox.conf.5 \
	app/scheme/chalkbox-scheme.5 app/server/chalkbox-server.8 \
	app/sync/chalkbox-sync.8; do
	mandoc -T lint -W warning "$page" || bad=1
done
build=${CHALKBOX_BUILD:-build/release}
"$build/chalkboxd" --help >/dev/null || bad=1
"$build/chalkbox" --help >/dev/null || bad=1
"$build/chalkbox-server" --help >/dev/null || bad=1
"$build/chalkbox-sync" --help >/dev/null || bad=1
for command in observations show events play check press console sync pair doctor; do
	"$build/chalkbox" "$command" --help >/dev/null || bad=1
	grep -q "$command" app/cli/chalkbox.1 || {
		echo "app/cli/chalkbox.1 says nothing of $command"
		bad=1
	}
done
exit $bad
