# SPDX-License-Identifier: MIT
# Vocabulary of the scenarios. Every function writes records to the trace;
# README.md explains the record letters.

SYS=/sys/devices/system
MEM=$SYS/memory
HP=/sys/kernel/debug/hptrace
BLK_PAGES=32768			# pages per 128 MiB block

rec() { printf 'T %s\n' "$*" >&3; }
step() { flush; rec "S $*"; }
note() { rec "# $*"; }

full() { case $1 in /*) echo "$1";; *) echo "$SYS/$1";; esac; }

# w FILE VALUE [raw]: write(2) with its errno, then what the notifiers saw
w() {
	_r=$(hpt write "$(full "$1")" "$2" $3)
	rec "W $1 <- \"$2\"${3:+ (no newline)} : $_r"
	flush
}
# sigw FILE VALUE MS SIG: the same, with a signal after MS milliseconds
sigw() {
	_r=$(hpt sigwrite "$(full "$1")" "$2" "$3" "$4")
	rec "W $1 <- \"$2\" : $_r"
	flush
}
# r FILE...: contents
r() {
	for _f in "$@"; do
		_p=$(full "$_f")
		if [ -e "$_p" ]; then
			rec "R $_f = \"$(cat "$_p" 2>&1 | tr '\n' ';' | sed 's/;$//')\""
		else
			rec "R $_f : absent"
		fi
	done
}
# flush: move the notifier log into the trace
flush() {
	[ -e $HP/log ] || return 0
	sed 's/^/T /' $HP/log >&3
}
# settle: flush until nothing new came for a second and a half
settle() {
	_q=0
	while [ $_q -lt 15 ]; do
		cat $HP/log > /tmp/log.new
		if [ -s /tmp/log.new ]; then _q=0; sed 's/^/T /' /tmp/log.new >&3; else _q=$((_q + 1)); fi
		sleep 0.1
	done
}
# hp COMMAND: an hptrace command
hp() {
	_r=$(hpt write $HP/ctl "$*")
	rec "C $* : $_r"
	flush
}
# off BLOCK..., on BLOCK...: bring blocks offline, online unless they are
off() {
	for _b in "$@"; do
		[ "$(cat $MEM/memory$_b/state)" = offline ] ||
			w memory/memory$_b/state offline
	done
}
on() {
	for _b in "$@"; do
		[ "$(cat $MEM/memory$_b/state)" = online ] ||
			w memory/memory$_b/state online
	done
}

_a() { cat "$1" 2>/dev/null || echo '?'; }
blk() {
	for _b in "$@"; do
		_d=$MEM/memory$_b
		if [ ! -e $_d ]; then rec "B memory$_b absent"; continue; fi
		_n=$(cd $_d && ls -d node[0-9]* 2>/dev/null | tr '\n' ',' | sed 's/,$//')
		rec "B memory$_b state=$(_a $_d/state) online=$(_a $_d/online) valid_zones=\"$(_a $_d/valid_zones)\" removable=$(_a $_d/removable) phys_index=$(_a $_d/phys_index) phys_device=$(_a $_d/phys_device) nodes=$_n"
	done
}
# blocks: every block at or above 4 GiB (the hot-added ones)
blocks() {
	_l=$(ls -d $MEM/memory[0-9]* | sed 's/.*memory//' | sort -n | awk '$1 >= 32')
	if [ -z "$_l" ]; then rec "B none above 4 GiB"; else blk $_l; fi
}
# nodes: the node masks and, per node, the blocks linked under it
nodes() {
	_s=
	for _f in possible online has_normal_memory has_memory has_cpu; do
		_s="$_s $_f=$(_a $SYS/node/$_f)"
	done
	rec "G$_s"
	for _d in $SYS/node/node[1-9]*; do
		[ -e $_d ] || continue
		rec "G ${_d##*/} blocks=$(cd $_d; ls -d memory[0-9]* 2>/dev/null | sed 's/memory//' | sort -n | tr '\n' ',' | sed 's/,$//')"
	done
}
_zones() {
	awk '/^Node/ { z="node" $2 "/" $4; sub(",", "", z) }
	$1=="spanned" {sp=$2} $1=="present" {pr=$2} $1=="managed" {m=$2}
	$1=="start_pfn:" { if (sp || pr || m) printf "%s %s %s %s 0x%x\n", z, sp, pr, m, $2; pr=0;sp=0;m=0 }' /proc/zoneinfo
}
# zones: spanned/present/managed; boot zones show managed relative to the
# start of the scenario because the boot value depends on the image
zones() {
	_zones | while read -r z sp pr m st; do
		case $z in
		*/DMA|*/DMA32|node0/Normal)
			_b=$(awk -v z="$z" '$1==z {print $4}' /tmp/zones0)
			if [ -n "$_b" ]; then m="base$(printf %+d $((m - _b)))"; fi;;
		esac
		rec "Z $z spanned=$sp present=$pr managed=$m start_pfn=$st"
	done
	rec "Z MemTotal=base$(printf %+d $(( $(awk '/^MemTotal/{print $2}' /proc/meminfo) - MEMTOTAL0 )))kB"
}
# iomem: the System RAM lines at or above 4 GiB
iomem() {
	_l=$(grep -E '^ *[1-9a-f][0-9a-f]{8,}-.*System RAM' /proc/iomem)
	if [ -z "$_l" ]; then rec "I no System RAM above 4 GiB"; return; fi
	echo "$_l" | while IFS= read -r _x; do rec "I $_x"; done
}
# all: the complete picture
all() { blocks; nodes; zones; iomem; }

# q REQUEST...: ask the host (QMP); the reply goes into the trace
q() {
	flush
	printf 'Q %s\n' "$*" >&3
	read -r _reply <&3
	rec "Q $* : $_reply"
	flush
}
dimm_add() { q dimm-add "$@"; }		# ID SIZE NODE
dimm_del() { q dimm-del "$@"; }		# ID

# uevents as user space gets them
uev_start() { hpt uevd /tmp/uev.sock; }
uev() { sleep 0.1; hpt ue /tmp/uev.sock | sed 's/^/T E /' >&3; }

# kernel log lines about hotplug since the last call
klog_mark() { dmesg | wc -l > /tmp/klog.n; }
klog() {
	dmesg | tail -n +$(( $(cat /tmp/klog.n) + 1 )) | sed 's/^\[[^]]*\] *//' |
	grep -E "${1:-Offlined Pages|removing memory fails|page dumped because|memory offlining|Built [0-9]+ zonelists|Fallback order|Policy zone|exceeds|absent from|Injecting error|already registered|acpi PNP0C80|Soft offlin|Memory failure|hotplug|virtio_mem}" |
	sed 's/Total pages: [0-9]*/Total pages: */' |
	while IFS= read -r _x; do rec "K $_x"; done
	klog_mark
}

# processes that own memory: mem NAME NODE MB [flags]; memc NAME COMMAND
mem() {
	_n=$1; shift
	mkfifo /tmp/$_n.in /tmp/$_n.out
	hpt mem "$@" < /tmp/$_n.in > /tmp/$_n.out &
	eval "PID_$_n=$!"
	case $_n in
	p1) exec 5>/tmp/p1.in 6</tmp/p1.out; read -r _r <&6;;
	p2) exec 7>/tmp/p2.in 8</tmp/p2.out; read -r _r <&8;;
	esac
	rec "P $_n mem $* : $_r"
}
memc() {
	_n=$1; shift
	case $_n in
	p1) echo "$*" >&5; read -r _r <&6;;
	p2) echo "$*" >&7; read -r _r <&8;;
	esac
	MEMC=$_r
	rec "P $_n $* : $_r"
}
memq() {
	case $1 in
	p1) exec 5>&- 6<&-;;
	p2) exec 7>&- 8<&-;;
	esac
	eval "wait \$PID_$1"
	rm -f /tmp/$1.in /tmp/$1.out
	rec "P $1 ended"
}
# load MODULE [ARGS], unload MODULE
load() {
	if insmod /lib/mods/$1.ko $2; then rec "X insmod $* : ok"
	else rec "X insmod $* : failed"; fi
}
unload() { rmmod $1 && rec "X rmmod $1 : ok"; }
pfn() { printf '0x%x' $(( $1 * BLK_PAGES )); }	# first pfn of a block

# finish: the end of every trace
finish() {
	flush
	# warnings and worse, without what differs between two runs
	dmesg | sed 's/^\[[^]]*\] *//' | grep -E '^(WARNING: CPU|BUG:|Oops|kernel BUG|general protection|INFO: task|Out of memory|notifier callback)' |
		sed 's/CPU: [0-9]* PID: [0-9]* //; s/+0x[0-9a-f/x]*//g; s/ \[[a-z_]*\]$//; s/process [0-9]*/process/; s/ total-vm.*//' |
		while IFS= read -r _x; do rec "K! $_x"; done
	echo "END 0" >&3
}

_zones > /tmp/zones0
MEMTOTAL0=$(awk '/^MemTotal/{print $2}' /proc/meminfo)
klog_mark
