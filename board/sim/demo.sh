#!/bin/bash
# The main job, played through: a spoken lesson into the simulated box's
# microphone, presses on its buttons, the timeline at the end. Run by `make demo`.
#
#	demo.sh BUILD LESSON
#
# DEMO_SPEED (default 4) plays it faster than life; 1 is life.
set -euo pipefail
build=$(realpath "$1") lesson=$(realpath "$2")
speed=${DEMO_SPEED:-4}
here=$(cd "$(dirname "$0")/../.." && pwd)

tmp=$(mktemp -d)
box=
cleanup() {
	[ -z "$box" ] || kill "$box" 2>/dev/null || true
	wait 2>/dev/null || true
}
trap 'cleanup; rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM

say() {
	printf '\n\033[1m%s\033[0m\n' "$*"
}

# Lamp changes as they come, on one line: the time and what is lit.
draw_lamps() {
	awk '{ lit[$2] = $3; t = $1
		printf "\r   %2d:%04.1f  ", t / 60, t % 60
		printf "%s microphone  ", lit["red"] == "on" ? "\033[31m●\033[0m" : "○"
		printf "%s observation  ", lit["green"] == "on" ? "\033[32m●\033[0m" : "○"
		printf "%s transition  ", lit["transition"] == "on" ? "\033[34m●\033[0m" : "○"
		if ($2 == "vibration" && $3 == "on") kept++
		printf "%s %d kept ", lit["vibration"] == "on" ? "\033[32m✓\033[0m" : " ", kept
		fflush() } END { print "" }'
}

state=$here/build/demo
rm -rf "$state"
mkdir -p "$tmp/wall"
cat >"$tmp/chalkbox.conf" <<CONF
[box]
name = demo
state = $state
runtime = $tmp/run
board = $here/board/sim.conf
[sound]
enabled = yes
CONF

# one clock for the microphone, the recorder and the presser
epoch=$(python3 -c 'import time; print(time.monotonic_ns())')
now=$(date +%s%N)
echo "$((now - epoch)) 1 2000000" >"$tmp/wall/now"
export CHALKBOX_CONFIG=$tmp/chalkbox.conf CHALKBOX_SIM_CLOCK="$epoch $speed" \
	CHALKBOX_SIM_WALL=$tmp/wall/now CHALKBOX_SIM_WAV=$lesson/lesson.wav \
	ALSA_CONFIG_PATH=$build/board/sim/alsa.conf

say "1. The box: chalkboxd on the simulated board, listening through ALSA"
"$build/chalkboxd" 2>"$tmp/log" &
box=$!

say "2. The lesson: $(tail -n 1 "$lesson/lesson.truth" | cut -f 2 | cut -d. -f 1) seconds of teacher, students and chairs, ${speed} times as fast as life"
echo "   Each press of the coach, and the green lamp's blink once it is on disk:"
"$build/chalkbox" press --wait --script "$lesson/lesson.presses" --lamps | draw_lamps

say "3. The box is switched off; what it kept is verified"
kill "$box"
wait "$box" && box=
"$build/chalkbox" check

say "4. The timeline"
"$build/chalkbox" show last

cat <<TEXT

Listen to the seconds around an event:  build/release/chalkbox --config build/demo/chalkbox.conf play last 1
Try the buttons yourself:               make console
TEXT
sed "s|^runtime = .*|runtime = $state/run|" "$tmp/chalkbox.conf" >"$state/chalkbox.conf"
