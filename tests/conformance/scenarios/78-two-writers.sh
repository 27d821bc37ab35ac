# SPDX-License-Identifier: MIT
# title: two writers at the same block: the second waits, then gets EINVAL; valid_zones while going offline
hp reg a 0
dimm_add d1 128M 1
S=memory/memory32/state
w $S online_movable
hp act a GOING_OFFLINE sleep 1500
hpt write $MEM/memory32/state offline > /tmp/o1 &
p1=$!
sleep 0.5
r $S memory/memory32/valid_zones memory/memory32/online memory/memory32/removable
hpt write $MEM/memory32/state offline > /tmp/o2 &
p2=$!
wait $p1 $p2
flush
rec "# first: $(cat /tmp/o1)"
rec "# second: $(cat /tmp/o2)"
blk 32
hp act a GOING_ONLINE sleep 1000
hpt write $MEM/memory32/state online > /tmp/o1 &
p1=$!
sleep 0.3
r $S memory/memory32/valid_zones
hpt write $MEM/memory32/online 1 > /tmp/o2 &
p2=$!
wait $p1 $p2
flush
rec "# first: $(cat /tmp/o1)"
rec "# second: $(cat /tmp/o2)"
blk 32
