#!/bin/sh
# Makes a spoken lesson for the simulated board, the truth about it, and the
# presses of a coach who watches it:
#
#   lesson.wav      16 kHz mono, 16 bits, about two minutes
#   lesson.truth    from_seconds TAB to_seconds TAB speaker TAB what is heard
#   lesson.presses  seconds line press|release, for `chalkbox press`
#
# Speech is cut to where it can be heard and laid out on a count of samples, so
# the truth is exact to one. The same voices give the same bytes every time.
# Needs espeak-ng and sox.
set -eu

if [ $# -ne 1 ]; then
	echo "usage: lesson.sh OUTDIR" >&2
	exit 2
fi
for program in espeak-ng sox soxi; do
	if ! command -v "$program" >/dev/null; then
		echo "lesson.sh: $program is missing: apt-get install espeak-ng sox" >&2
		exit 1
	fi
done

export LC_ALL=C
out=$1
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

RATE=16000
REACTION=2400 # 0.15 s from what happens to the coach's finger
TAP=1920      # 0.12 s down
AGAIN=4160    # 0.26 s from one tap of several to the next

here=0 # the sample at which the next thing begins
from=0 # where the last utterance began
to=0   # and ended
clips=0
: >"$work/list"
: >"$work/truth"
: >"$work/presses"

# Samples as seconds.
seconds() {
	awk -v n="$1" -v rate=$RATE 'BEGIN { printf "%.7f", n / rate }'
}

# Seconds as samples.
samples() {
	awk -v s="$1" -v rate=$RATE 'BEGIN { printf "%d", s * rate + 0.5 }'
}

# --- sound ---

# sox without dither, and with the same noise each time.
sound() {
	sox -R -D "$@"
}

clip_new() {
	clips=$((clips + 1))
	clip=$work/clip$clips.wav
	echo "$clip" >>"$work/list"
}

pause() { # SECONDS
	n=$(samples "$1")
	clip_new
	sound -r $RATE -c 1 -n -b 16 "$clip" trim 0 "${n}s"
	here=$((here + n))
}

say() { # SPEAKER TEXT
	case $1 in
	teacher) set -- "$1" "$2" -v en-gb+m1 -p 42 -s 160 -6 ;;
	amira) set -- "$1" "$2" -v en-gb+f2 -p 72 -s 165 -10 ;;
	ben) set -- "$1" "$2" -v en-us+m3 -p 78 -s 160 -11 ;;
	chloe) set -- "$1" "$2" -v en-us+f4 -p 85 -s 175 -13 ;;
	esac
	clip_new
	espeak-ng "$3" "$4" "$5" "$6" "$7" "$8" -w "$work/raw.wav" "$2"
	# from the first sound to the last
	sound "$work/raw.wav" -r $RATE -b 16 "$clip" gain -n "$9" \
		silence 1 0.005 0.5% reverse silence 1 0.005 0.5% reverse rate $RATE
	from=$here
	here=$((here + $(soxi -s "$clip")))
	to=$here
	printf '%s\t%s\t%s\t%s\n' "$(seconds "$from")" "$(seconds "$to")" "$1" "$2" \
		>>"$work/truth"
}

# --- the coach's fingers ---

press() { # LINE SAMPLE
	echo "$(seconds "$2") $1 press" >>"$work/presses"
}

release() { # LINE SAMPLE
	echo "$(seconds "$2") $1 release" >>"$work/presses"
}

taps() { # LINE SAMPLE HOW_MANY WHY
	echo "$(seconds "$2") # $4" >>"$work/presses"
	i=0
	while [ "$i" -lt "$3" ]; do
		press "$1" $(($2 + i * AGAIN))
		release "$1" $(($2 + i * AGAIN + TAP))
		i=$((i + 1))
	done
}

hold() { # LINE FROM TO WHY
	echo "$(seconds "$2") # $4" >>"$work/presses"
	press "$1" "$2"
	release "$1" "$3"
}

# What the last utterance asked, noted at its end.
question() { taps 1 $((to + REACTION)) 1 "a question"; }
open_question() { taps 1 $((to + REACTION)) 2 "an open question"; }

# A question and its wait: down at its end, up when somebody begins to answer.
ask_and_wait() { # QUESTION SECONDS SPEAKER ANSWER
	say teacher "$1"
	asked=$to
	pause "$2"
	say "$3" "$4"
	hold 1 $((asked + REACTION)) $((from + REACTION)) "waits $2 s for an answer"
}

# --- the lesson: why the moon has phases ---

taps 5 $((1 * RATE)) 1 "the lesson begins"
pause 1.8
say teacher "Good morning, everybody. Pencils down, and look up here, please."
pause 0.7
say teacher "Last night some of you saw the moon, and you told me it was not round. It looked like a slice of melon."
pause 0.8
say teacher "Today we find out why. Here is a lamp. The lamp is our sun. And this white ball on a stick is our moon."
pause 0.6
say teacher "My head is the earth. I hold the ball in front of me, and I turn slowly on the spot."
pause 0.9
say teacher "The lamp does not move. Keep your eyes on the bright part of the ball."
pause 2.2

ask_and_wait "Why do you think the bright part changes its shape?" 3.2 amira \
	"Because the lamp only shines on one side, and we look at it from another place each time."
pause 0.5
say teacher "Say more about that."
taps 2 $((to + REACTION)) 2 "about half of the class is with it"
pause 1.1

say teacher "How much of the ball does the lamp light up?"
question
pause 0.5
say teacher "All of it?"
question
pause 0.8
say ben "Half of it. It is always half."
pause 0.7

ask_and_wait "Always?" 0.8 chloe "Yes, the other half is always dark."
pause 0.6

ask_and_wait "And when do we see nothing of the bright half?" 1.5 ben \
	"When the moon is between us and the sun."
taps 2 $((to + REACTION)) 1 "a slip of the finger"
taps 4 $((to + REACTION + 20800)) 1 "takes that back"
pause 0.6
say teacher "What would somebody on the moon see when they look at us?"
open_question
pause 2.4
say chloe "The earth would have phases, too!"
pause 0.5
say teacher "Lovely. Now stand up, find a partner, and take a ball to one of the lamps."

taps 3 $((to + REACTION)) 1 "the transition begins"
pause 0.3
clip_new
noise_from=$here
noise=$(samples 7.5)
# the place is kept here; the noise itself is laid over it below
sound -r $RATE -c 1 -n -b 16 "$clip" trim 0 "${noise}s"
here=$((here + noise))
printf '%s\t%s\t%s\t%s\n' "$(seconds "$noise_from")" "$(seconds "$here")" class \
	"chairs and voices: the transition" >>"$work/truth"
taps 3 $((here + REACTION)) 1 "the transition ends"
pause 0.6

say teacher "Thank you. Turn until the whole bright half faces you. That is the full moon."
pause 1.2
say teacher "Now go on turning the same way. The bright part gets smaller, from the right hand side."
pause 1.5
say teacher "Half way around, the ball is in front of the lamp. Its bright half looks away from you. That is the new moon."
pause 1.6
say teacher "So the moon does not change at all. The sun always lights one half. What changes is how much of that half we can see."
pause 1.3
say teacher "Please draw the ball in your book, and color its dark half."
pause 1.5
taps 2 $((here + REACTION)) 1 "most of the class is with it"
pause 2.5
echo "$(seconds $((here - 1))) # the lesson ends" >>"$work/presses"
press 5 "$here"
release 5 $((here + RATE * 5 / 2))
pause 3

# --- the room ---

tr '\n' '\0' <"$work/list" | xargs -0 sh -c 'exec sox -R -D "$@" '"'$work/speech.wav'" sh
length=$(soxi -s "$work/speech.wav")
if [ "$length" -ne "$here" ]; then
	echo "lesson.sh: $length samples were laid out as $here: the truth would be wrong" >&2
	exit 1
fi

# Murmur: what the class says, backwards, several times over, and far away.
espeak-ng -v en-us+f4 -p 80 -s 150 -w "$work/babble1.wav" \
	"I had the melon moon in my window, no you had not, it was behind the house, look at my pencil"
espeak-ng -v en-gb+m3 -p 75 -s 140 -w "$work/babble2.wav" \
	"move over please, whose ball is this, I want to hold the lamp, come here, we need a partner"
espeak-ng -v en-gb+f2 -p 90 -s 170 -w "$work/babble3.wav" \
	"is it lunch soon, mine is bigger, turn around the other way, you are the earth and I am the sun"
for i in 1 2 3; do
	sound "$work/babble$i.wav" -r $RATE -b 16 "$work/voice$i.wav" \
		reverse gain -n -6 rate $RATE repeat 40 trim "$((i * 3711))s" "${length}s"
done
sound -r $RATE -c 1 -n -b 16 "$work/air.wav" synth "${length}s" pinknoise \
	sinc 120-3000 gain -n -6
sound -m -v 0.022 "$work/voice1.wav" -v 0.018 "$work/voice2.wav" -v 0.02 "$work/voice3.wav" \
	-v 0.008 "$work/air.wav" -b 16 "$work/murmur.wav"

# The transition: chairs, and the same voices near.
set --
i=0
for chair in 900:0.45:0.1 1400:0.3:0.9 700:0.6:1.4 1900:0.25:2.2 1100:0.5:2.7 800:0.4:3.6 \
	1500:0.55:4.1 1000:0.35:5.0 2100:0.3:5.4 750:0.65:5.9 1300:0.4:6.7; do
	i=$((i + 1))
	hz=${chair%%:*}
	rest=${chair#*:}
	sound -r $RATE -c 1 -n -b 16 "$work/chair$i.wav" synth "${rest%%:*}" whitenoise \
		band -n "$hz" $((hz / 2)) fade q 0.03 "${rest%%:*}" 0.12 gain -n -9 \
		pad "${rest#*:}"
	set -- "$@" -v 0.9 "$work/chair$i.wav"
done
for i in 1 2 3; do
	sound "$work/voice$i.wav" "$work/near$i.wav" trim 0 "${noise}s" fade q 0.2 "${noise}s" 0.3
	set -- "$@" -v 0.2 "$work/near$i.wav"
done
sound -m "$@" -b 16 "$work/noise.wav" trim 0 "${noise}s" pad "${noise_from}s@0s"

sound -m -v 1 "$work/speech.wav" -v 1 "$work/murmur.wav" -v 1 "$work/noise.wav" \
	-r $RATE -b 16 -c 1 "$work/lesson.wav" trim 0 "${length}s"

# --- all there, then all in place ---

{
	printf '# from_seconds\tto_seconds\tspeaker\twhat\n'
	cat "$work/truth"
} >"$work/lesson.truth"
{
	echo "# What a coach presses while watching lesson.wav; line names of the simulated"
	echo "# board: 1 questioning, 2 engagement, 3 transition, 4 undo, 5 lesson."
	sort -s -n -k 1,1 "$work/presses" |
		awk '$2 == "#" { $1 = ""; print substr($0, 2); next } { print }'
} >"$work/lesson.presses"
for file in lesson.truth lesson.presses lesson.wav; do
	cp "$work/$file" "$out/.$file.new"
	mv "$out/.$file.new" "$out/$file"
done
