#!/bin/sh
# The house's arrows run one way: who may include what. Run from the top.
set -u
bad=0

# rule WHERE PATTERN WHY: no file under WHERE may match PATTERN
rule() {
	if found=$(grep -rnE "$2" --include='*.c' --include='*.h' $1); then
		printf 'house: %s:\n%s\n' "$3" "$found"
		bad=1
	fi
}

rule app '#include <(gpiod|alsa/)' 'nothing under app speaks to hardware'
rule firmware '#include <(curl/|microhttpd)' 'nothing under firmware speaks to the network'
rule app '#include "(firmware|board)/' 'app knows neither firmware nor boards'
rule app/base '#include "app/(scheme|journal|health|timeline|cli)/' 'base stands on nothing'
rule app/scheme '#include "app/(journal|timeline|cli)/' 'schemes stand on base alone'
rule app/journal '#include "app/(timeline|cli)/' 'the journal stands on base alone'
rule app/health '#include "app/(timeline|cli|sync|server)/' 'health stands on base and the journal'
rule app/timeline '#include "app/cli/' 'the timeline does not know who shows it'
rule firmware '#include "app/(timeline|cli)/' 'the recorder does not need the timeline'

sql=$(grep -rlE '#include <sqlite3' app/server | grep -vE '/store(_[a-z]+)?\.[ch]$')
if [ -n "$sql" ]; then
	printf 'house: of the server only store*.c speak SQL, not: %s\n' "$sql"
	bad=1
fi

alsa=$(grep -rlE '#include <alsa/' firmware)
if [ "$alsa" != firmware/microphone.c ]; then
	printf 'house: only firmware/microphone.c speaks to ALSA, not: %s\n' "$alsa"
	bad=1
fi

for name in $(git ls-files 2>/dev/null | cut -d/ -f1 | sort -u); do
	case $name in
	.* | firmware | app | board | systemd | tests | Makefile | README.md) ;;
	*) printf 'house: %s does not belong at the top\n' "$name"; bad=1 ;;
	esac
done

exit $bad
