# SPDX-License-Identifier: MIT
# title: kernel pages freed in MEM_GOING_OFFLINE: too late in a kernel zone, in time in ZONE_MOVABLE
hp reg a 0
dimm_add d1 128M 1
S=memory/memory32/state
step "kernel zone"
w $S online_kernel
hp hold h 1 $(pfn 32) $BLK_PAGES 5 kernel
hp act a GOING_OFFLINE free h
w $S offline
blk 32
hp free h
w $S offline
step "movable zone"
w $S online_movable
hp hold h 1 $(pfn 32) $BLK_PAGES 5 movable
w $S offline
blk 32
zones
step "offline-movable pages"
hp clear a
w $S online_movable
hp hold h 1 $(pfn 32) $BLK_PAGES 2 offline-movable
w $S offline
blk 32
hp act a GOING_OFFLINE unref h
hp act a OFFLINE forget h
w $S offline
blk 32
