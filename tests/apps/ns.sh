# SPDX-License-Identifier: MIT
# Sourced by the tests that run other people's programs in `memplug ns`: a machine of the test's own.
set -u
memplug=${MEMPLUG_BUILD:?}/tools/memplug
scratch=$(mktemp -d)
export MEMPLUG_SOCKET=$scratch/socket
name=${0##*/}
failed=0
machine=

finish() {
	[ -z "$machine" ] || kill "$machine" 2>/dev/null
	rm -rf "$scratch"
}
trap finish EXIT

say() { # 0 or not, title; what there is to see is in $scratch/out
	if [ "$1" = 0 ]; then
		echo "ok $name $2"
	else
		echo "not ok $name $2: $(tail -n 12 "$scratch/out" | tr '\n' '|')"
		failed=1
	fi
}

# One that cannot run names its reason; the programs are what `.ci/deps apps` installs.
needs() { # programs...
	local program
	for program in "$@"; do
		command -v "$program" >/dev/null || missing "there is no $program"
	done
	[ -c /dev/fuse ] || missing "there is no /dev/fuse"
	unshare -m true 2>/dev/null || missing "it needs root"
	! "$memplug" mount --help | grep -q 'not built in' || missing "memplug was built without libfuse3"
}
missing() {
	echo "skip $name: $1"
	exit 0
}

boot() { # statements of its description
	local words=() statement line
	for statement in "$@"; do
		words+=(--set "$statement")
	done
	exec 3< <(exec "$memplug" boot --socket "$MEMPLUG_SOCKET" "${words[@]}" 2>&1)
	machine=$!
	if ! read -rt 60 -u 3 line || [ "${line%%;*}" != booted ]; then
		echo "not ok $name a machine boots: $line"
		exit 1
	fi
}

shutdown() {
	kill "$machine" && wait "$machine"
	machine=
}

ns() { "$memplug" ns -- "$@" >"$scratch/out" 2>&1; }

# The machine's own checker finds nothing in it that contradicts itself.
check_machine() {
	"$memplug" show /memplug/check >"$scratch/out" 2>&1 && grep -qx '0 inconsistencies' "$scratch/out"
	say $? "${1:-the machine is whole afterwards}"
}
