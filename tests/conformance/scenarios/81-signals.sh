# SPDX-License-Identifier: MIT
# title: a signal during GOING_OFFLINE ends even the offline of an empty block; online is never interrupted
# timeout: 90
hp reg a 0
dimm_add d1 128M 1
S=memory/memory32/state
w $S online_movable
hp act a GOING_OFFLINE sleep 1000
sigw $S offline 300 2
blk 32
hp clear a
hp act a OFFLINE sleep 1000
sigw $S offline 300 2
blk 32
hp clear a
hp act a GOING_ONLINE sleep 1000
sigw $S online_movable 300 2
blk 32
hp clear a
hp act a GOING_OFFLINE sleep 800
sigw memory/memory32/online 0 300 9
flush
blk 32
hp act a CANCEL_OFFLINE sleep 800
sigw $S offline 1100 15
blk 32
