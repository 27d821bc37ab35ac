# SPDX-License-Identifier: MIT
# title: a refused online_movable on an online block is remembered by the next "1 > online"
hp reg a 0
dimm_add d1 128M 1
S=memory/memory32/state
O=memory/memory32/online
w $S online_kernel
w $S online_movable
blk 32
w $S offline
w $O 1
blk 32
w $O 0
w $O 1
blk 32
step "and the other way"
w $S online_kernel
w $O 0
w $O 1
blk 32
step "after a veto"
w $O 0
hp rule a GOING_ONLINE -12 1
w $S online_movable
w $O 1
blk 32
w $S offline
hp rule a GOING_ONLINE -12 1
w $S online_kernel
w $S online
blk 32
