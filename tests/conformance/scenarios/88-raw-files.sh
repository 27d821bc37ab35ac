# SPDX-License-Identifier: MIT
# title: the tree by hand: ls, cat, echo, stat, find, test, readlink
dimm_add d1 256M 1
note "dir: $(ls $MEM | sort | tr '\n' ' ')"
note "block: $(ls $MEM/memory32 | tr '\n' ' ')"
note "node: $(ls $SYS/node/node1 | tr '\n' ' ')"
note "up: $(readlink $MEM/memory32/subsystem) $(readlink $MEM/memory32/node1) $(readlink $SYS/node/node1/memory32)"
[ -e $MEM/memory32/state ] && note "exists"
[ -e $MEM/memory99/state ] || note "does not"
[ -w $MEM/memory32/phys_index ] && note "root may always"
echo online_movable > $MEM/memory32/state && note "echo ok"
echo foo > $MEM/memory32/state || note "echo fails"
cat $MEM/memory32/state $MEM/memory33/state | while read -r x; do note "state $x"; done
note "grep: $(grep -l online $MEM/memory3[0-9]/state | tr '\n' ' ')"
note "find: $(find $MEM/memory33 -maxdepth 1 -type f | sort | tr '\n' ' ')"
note "sizes: $(stat -c '%s %a %F' $MEM/memory32/state) $(stat -c '%a %F' $MEM/memory32)"
note "bus: $(ls /sys/bus/memory | tr '\n' ' ') devices: $(ls /sys/bus/memory/devices | grep memory3 | tr '\n' ' ')"
note "params: $(ls /sys/module/memory_hotplug/parameters | tr '\n' ' ')"
note "cp: $(cp $MEM/memory32/valid_zones /tmp/vz && cat /tmp/vz)"
note "head: $(head -c 4 $MEM/memory32/state)"
note "dd: $(dd if=$MEM/memory32/state bs=1 count=3 2>/dev/null)"
echo 0 > $MEM/memory32/online
blk 32
mkdir $MEM/foo 2>/dev/null || note "no mkdir"
rm $MEM/memory32/state 2>/dev/null || note "no rm"
: > $MEM/memory32/state && note "empty write ok"
printf online > $MEM/memory32/state; r memory/memory32/state
printf 'off\n' > $MEM/memory32/online; r memory/memory32/state
echo "reg raw 3" > $HP/ctl
echo online > $MEM/memory33/state
flush
echo "nonsense" > $HP/ctl || note "nonsense refused"
note "modes $(stat -c %a $HP/ctl $HP/log | tr '\n' ' ')"
note "meminfo $(awk '/^MemTotal/{print $3}' /proc/meminfo) $(grep -c . /proc/zoneinfo | awk '$1 > 10 {print "long"}')"
note "buddyinfo $(awk '$2=="1,"{print $4}' /proc/buddyinfo | tr '\n' ' ')"
note "node1 $(awk '/MemTotal/{print $4}' $SYS/node/node1/meminfo)"
