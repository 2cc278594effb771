#!/bin/bash
# The main job, played through: a spoken lesson into the simulated box's
# microphone, presses on its buttons, the timeline in the terminal; then the box
# brings it to a coach's server on this machine, and a teacher's link is printed.
# Run by `make demo`.
#
#	demo.sh BUILD LESSON
#
# DEMO_SPEED (default 4) plays it faster than life; 1 is life. On a terminal the
# server stays up until Ctrl-C.
set -euo pipefail
build=$(realpath "$1") lesson=$(realpath "$2")
speed=${DEMO_SPEED:-4}
here=$(cd "$(dirname "$0")/../.." && pwd)

tmp=$(mktemp -d)
box= server=
cleanup() {
	[ -z "$box" ] || kill "$box" 2>/dev/null || true
	[ -z "$server" ] || kill "$server" 2>/dev/null || true
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
[sync]
state = $state/sync
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

say "5. The end of the day: the box brings it to a coach's server on this machine"
port=$(python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])')
unset CHALKBOX_SIM_CLOCK CHALKBOX_SIM_WALL # real time from here on
"$build/chalkbox-server" --data "$state/server" --listen "127.0.0.1:$port" --plain \
	--name "Demo school" --url "http://localhost:$port" --static "$here/build/web" \
	>"$tmp/said" 2>"$tmp/server.log" &
server=$!
for _ in $(seq 100); do
	grep -q '/#/welcome/' "$tmp/said" && break
	kill -0 "$server" 2>/dev/null || { cat "$tmp/server.log"; exit 1; }
	sleep 0.1
done
link=$(grep -o 'http[^ ]*/#/welcome/[0-9a-f]*' "$tmp/said" | tail -n 1)
code=$(python3 "$here/board/sim/school.py" open "$link" "$state/coach.json")
"$build/chalkbox" pair "http://localhost:$port" "$code"
"$build/chalkbox" sync --now

sed "s|^runtime = .*|runtime = $state/run|" "$tmp/chalkbox.conf" >"$state/chalkbox.conf"
say "6. The teacher opens the timeline in a browser, clicks an event and hears it:"
echo "   $(python3 "$here/board/sim/school.py" assign "$state/coach.json")"
cat <<TEXT

In the terminal, the seconds around an event:  build/release/chalkbox --config build/demo/chalkbox.conf play last 1
Try the buttons yourself:                      make console
TEXT
if [ -t 1 ]; then
	printf '\nThe server stays up until Ctrl-C.\n'
	trap 'exit 0' INT
	wait "$server"
fi
