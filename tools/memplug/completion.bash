# SPDX-License-Identifier: MIT
# Completion of memplug for bash: verbs, options, and the blocks of the machine that runs.

# The machine that the words on the line mean, asked for a file; silent, and no longer than a moment.
_memplug_show() {
	local options=() i
	for ((i = 1; i < COMP_CWORD; i++)); do
		[ "${COMP_WORDS[i]}" != --socket ] || options=(--socket "${COMP_WORDS[i + 1]}")
	done
	timeout 1 "${COMP_WORDS[0]}" "${options[@]}" show "$1" 2>/dev/null
}

# Block numbers, of those in a state ($1: online, offline, or empty for all); not more than can be looked at.
_memplug_blocks() {
	local id state rest count=0
	while read -r id state rest; do
		[ "$id" != block_size ] || continue
		[ -z "$1" ] || [ "$state" = "$1" ] || continue
		case $id in
		"$2"*) echo "$id" && [ $((++count)) -lt 200 ] || return ;;
		esac
	done < <(_memplug_show /memplug/blocks)
}

_memplug_nodes() {
	local word first last
	for word in $(_memplug_show /sys/devices/system/node/online | tr , ' '); do
		first=${word%-*} last=${word#*-}
		while [ "$first" -le "$last" ]; do
			echo "$((first++))"
		done
	done
}

_memplug() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} verb= words= i
	local verbs="boot ls show stats add remove online offline plan why watch inject mount ns run"
	COMPREPLY=()
	# "--online=movable" comes in three words.
	if [ "$previous" = = ] && [ "$COMP_CWORD" -gt 2 ]; then
		previous=${COMP_WORDS[COMP_CWORD - 2]}
	elif [ "$current" = = ]; then
		current=
	fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--socket) i=$((i + 1)) ;;
		-*) ;;
		*) verb=${COMP_WORDS[i]} && break ;;
		esac
	done
	# Behind `run -- ` it is the program's.
	if [ "$verb" = run ]; then
		case $previous in
		--memory | --online | --block-size | --node) return ;;
		--only) COMPREPLY=($(compgen -c -- "$current")) && return ;;
		--backing) words="memfd anonymous" ;;
		*)
			[[ $current == -* ]] || { COMPREPLY=($(compgen -c -- "$current")) && return; }
			words="--memory --online --block-size --node --backing --only --auto --help"
			;;
		esac
		COMPREPLY=($(compgen -W "$words" -- "$current"))
		return
	fi
	case $previous in
	--socket | --config) COMPREPLY=($(compgen -f -- "$current")) && return ;;
	--from | --mount) COMPREPLY=($(compgen -d -- "$current")) && return ;;
	--node) words=$(_memplug_nodes) ;;
	--online) words="movable kernel" ;;
	--zone) [ "$verb" = online ] && words="movable kernel" || words="DMA DMA32 Normal Movable" ;;
	--state) words="online offline going-offline" ;;
	--contract) words="document linux-6.1" ;;
	--backing) words="memfd anonymous hugetlb hugetlb-1G" ;;
	--commit) words="lazy populate" ;;
	--overcommit) words="yes no" ;;
	--memhp-default-state) words="offline online online_kernel online_movable" ;;
	--online-policy) words="contig-zones auto-movable" ;;
	--auto-movable-numa-aware | --memmap-on-memory | --movable-node | --probe) words="Y N" ;;
	--only) words="event callback isolate migrate state add remove give_back lock_wait refusal boot cpu slot uevent" ;;
	--block) [ "$verb" = watch ] && words=$(_memplug_blocks "" "$current") ;;
	--deadline | --at | --set | --memory | --plug | --nodes | --cpus | --count | --priority | --max-phys | --auto-movable-ratio)
		return ;;
	*)
		case $verb in
		"") words="$verbs --socket --json --help --version" ;;
		boot) words="--config --from --memory --plug --nodes --cpus --mount --set --block --max-phys --contract --backing
			--commit --overcommit --memhp-default-state --online-policy --auto-movable-ratio
			--auto-movable-numa-aware --memmap-on-memory --movable-node --probe" ;;
		ls) words="--all --node --state --zone" ;;
		add) words="--node --at --online" ;;
		remove) words="--offline --node --deadline $(_memplug_blocks "" "$current")" ;;
		online) words="--zone --node --deadline $(_memplug_blocks offline "$current")" ;;
		offline) words="--zone --node --deadline $(_memplug_blocks online "$current")" ;;
		plan) words="--zone --node $(_memplug_blocks online "$current")" ;;
		why) words=$(_memplug_blocks "" "$current") ;;
		watch) words="--only --block --count" ;;
		inject) case $previous in
			inject) words="load unload online offline --priority" ;;
			online | offline) words="EBUSY ENOMEM EPERM EINTR EIO off" ;;
			esac ;;
		mount) COMPREPLY=($(compgen -f -- "$current")) && return ;;
		ns) COMPREPLY=($(compgen -c -- "$current")) && return ;;
		show)
			local directory=${current%/*}/ mode name
			words=$(_memplug_show "$directory" | while read -r mode name; do echo "$directory${name%% -> *}"; done)
			[ "$current" ] || words=/
			compopt -o nospace 2>/dev/null
			;;
		esac
		[ -z "$verb" ] || words="$words --json --socket --help"
		;;
	esac
	COMPREPLY=($(compgen -W "$words" -- "$current"))
}

complete -F _memplug memplug
