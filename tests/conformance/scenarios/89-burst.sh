# SPDX-License-Identifier: MIT
# title: uevents and notifiers of many blocks: a DIMM of eight blocks, in and out, two callbacks veto in turn
# mem: 768M
uev_start
hp reg a 1
hp reg b -1
hp uevents 1
w memory/auto_online_blocks online_kernel
dimm_add d1 1G 1
uev
blocks
hp rule b GOING_OFFLINE -16 1
hp rule a GOING_OFFLINE BAD 2
dimm_del d1
uev
all
hp clear \*
dimm_del d1
uev
all
w memory/auto_online_blocks offline
dimm_add d2 256M 1
for b in 32 33; do w memory/memory$b/state online_movable; done
mem p1 1 150
memc p1 where $(pfn 32) $((2 * BLK_PAGES))
dimm_del d2
memc p1 verify
memc p1 where $(pfn 32) $((2 * BLK_PAGES))
memq p1
uev
all
