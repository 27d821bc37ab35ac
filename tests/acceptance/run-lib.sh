# SPDX-License-Identifier: MIT
# Sourced by tests/acceptance/run*: guests under `memplug run`. Sets scratch, memplug, sockets, say, start, end, m,
# online_blocks, cycle.
set -u
build=${MEMPLUG_BUILD:?}
memplug=$build/tools/memplug
scratch=$(mktemp -d)
export XDG_RUNTIME_DIR=$scratch
sockets=/run/memplug
[ "$(id -u)" = 0 ] || sockets=$scratch/memplug
source "${BASH_SOURCE[0]%/*}/../lib/say.sh"
name=$(basename "$0")
export MEMPLUG_RUN_MARK=$$-acceptance
unset MEMPLUG_SOCKET

cleanup() {
	[ -z "${RUN_PID:-}" ] || kill "$RUN_PID" 2>/dev/null
	rm -rf "$scratch"
}
trap cleanup EXIT

if [ ! -e "$build/tools/preload/libmemplug-preload.so" ]; then
	echo "skip $name all: the preload library is not built here (libjemalloc-dev, or a sanitizer)"
	exit 0
fi
"$memplug" run --memory 64M -- /bin/true 2>"$scratch/out"
case $? in
0) ;;
125)
	echo "skip $name all: memory cannot be moved here: $(head -n 1 "$scratch/out")"
	exit 0
	;;
*)
	say 1 "a program runs"
	exit 1
	;;
esac

# Starts a guest that waits for the end of its input; sets pid and socket when it is ready.
start() { # options of run..., --, guest's arguments
	coproc RUN { exec "$memplug" run "$@" 2>&1; }
	read -rt 120 -u "${RUN[0]}" line || line="nothing"
	echo "$line" >"$scratch/out"
	pid=$RUN_PID
	socket=$sockets/$pid
	[ "$line" = ready ]
}

# Ends its input; its last word must be "fine".
end() {
	[ -n "${RUN[0]:-}" ] || { echo "it has ended before" >>"$scratch/out"; return 1; }
	local out=${RUN[0]} in=${RUN[1]} status
	exec {copy}<&"$out"
	eval "exec $in>&-"
	timeout 120 cat <&"$copy" >"$scratch/out"
	exec {copy}<&-
	wait "$pid"
	status=$?
	[ $status = 0 ] && grep -qx fine "$scratch/out"
}

m() { timeout 60 "$memplug" --socket "$socket" "$@" >"$scratch/command" 2>&1; }

online_blocks() { m show /memplug/blocks && awk '$2 == "online" { print $1 }' "$scratch/command"; }

# Blocks leave and return, `count` in all.
cycle() { # count
	timeout 120 "${MEMPLUG_SOURCE:?}/tests/apps/cycle.py" "$MEMPLUG_RUN_MARK" "$1" >"$scratch/out" 2>&1
}

