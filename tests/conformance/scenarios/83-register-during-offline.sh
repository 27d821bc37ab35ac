# SPDX-License-Identifier: MIT
# title: registration and unregistration while MEM_GOING_OFFLINE is being sent
hp reg a 100
hp reg leaving 10
dimm_add d1 128M 1
S=memory/memory32/state
w $S online_movable
hp act a GOING_OFFLINE sleep 1000
hpt write $MEM/memory32/state offline > /tmp/o1 &
p1=$!
sleep 0.3
hp reg late 50
wait $p1
flush
rec "# offline: $(cat /tmp/o1)"
w $S online_movable
hpt write $MEM/memory32/state offline > /tmp/o1 &
p1=$!
sleep 0.3
hp unreg leaving
wait $p1
flush
rec "# offline: $(cat /tmp/o1)"
blk 32
