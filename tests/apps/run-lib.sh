# SPDX-License-Identifier: MIT
# Sourced by tests/apps/run-*: an unmodified program under `memplug run`, while its blocks leave and return
# all the time. Sets scratch, run (the command to put in front of a program), say, cycling, and cycled.
set -u
build=${MEMPLUG_BUILD:?}
apps=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
name=$(basename "$0")
scratch=$(mktemp -d "/tmp/memplug-$name.XXXXXX")
export MEMPLUG_RUN_MARK=$$-$name
run=("$build/tools/memplug" run --memory "${MEMORY:-1G}" --online "${ONLINE:-256M}" --block-size "${BLOCK:-8M}" --)
source "$apps/../lib/say.sh"
cycler=

tidy() { :; } # of the test, before the scratch directory goes
finish() {
	[ -z "$cycler" ] || kill "$cycler" 2>/dev/null
	tidy
	rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 143' TERM INT

skip() { # reason
	echo "skip $name: $1"
	exit 0
}

need() { # package, program
	command -v "$2" >/dev/null || skip "$2 is not there: install $1"
}

[ -e "$build/tools/preload/libmemplug-preload.so" ] || skip "the preload library is not built (libjemalloc-dev)"
"$build/tools/memplug" run --memory 64M -- /bin/true 2>"$scratch/out" || skip "memory cannot be moved here: $(cat "$scratch/out")"

cycling() {
	coproc CYCLE { exec python3 "$apps/cycle.py" "$MEMPLUG_RUN_MARK" 2>&1; }
	cycler=$CYCLE_PID
	read -rt 60 -u "${CYCLE[0]}" _
}

# Ends it: some blocks must have left, and all have returned.
cycled() {
	local pid=$cycler line
	kill -TERM "$pid" && read -rt 120 -u "${CYCLE[0]}" line && echo "$line" >"$scratch/out"
	wait "$pid"
	local status=$?
	cycler=
	[ $status = 0 ] && [ "${line%% *}" -gt 0 ]
	say $? "meanwhile $line"
}
