#!/bin/bash
# A box to try on a laptop: keys are buttons, the lamps are drawn, the microphone
# is the machine's own, or the spoken lesson where there is none. Run by
# `make console`; what it records stays in build/console.
#
#	console.sh BUILD LESSON
set -euo pipefail
build=$(realpath "$1") lesson=$(realpath "$2")
here=$(cd "$(dirname "$0")/../.." && pwd)
state=$here/build/console
mkdir -p "$state"

box=
trap '[ -z "$box" ] || kill "$box" 2>/dev/null; wait' EXIT
trap 'exit 130' INT TERM

if arecord -l 2>/dev/null | grep -q '^card'; then
	pcm=default
	echo "The microphone is this machine's own."
else
	pcm=chalkbox_sim
	echo "This machine has no microphone: the spoken lesson plays instead."
	export CHALKBOX_SIM_WAV=$lesson/lesson.wav CHALKBOX_SIM_END=loop \
		ALSA_CONFIG_PATH=$build/board/sim/alsa.conf
	CHALKBOX_SIM_CLOCK="$(python3 -c 'import time; print(time.monotonic_ns())') 1"
	export CHALKBOX_SIM_CLOCK
fi
cat >"$state/chalkbox.conf" <<CONF
[box]
name = console
state = $state
runtime = $state/run
board = $here/board/sim.conf
[sound]
enabled = yes
[microphone]
pcm = $pcm
CONF
export CHALKBOX_CONFIG=$state/chalkbox.conf
"$build/chalkboxd" 2>"$state/log" &
box=$!
"$build/chalkbox" console || {
	cat "$state/log"
	exit 1
}
kill "$box"
wait "$box" || true
box=
"$build/chalkbox" show last || true
echo
echo "Listen: build/release/chalkbox --config build/console/chalkbox.conf play last 1"
