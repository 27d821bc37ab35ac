# SPDX-License-Identifier: MIT
# title: device_del refused by a callback: second try, then blocks go online again with the default policy
hp reg a 0
hp uevents 1
dimm_add d1 256M 1
w memory/memory32/state online_movable
w memory/memory33/state online_movable
step "the second block refuses always"
hp reg b -5
hp rule b GOING_OFFLINE -16 1
dimm_del d1
all
step "again, refuses twice"
dimm_add d1 256M 1
w memory/memory32/state online_movable
w memory/memory33/state online_movable
hp rule b GOING_OFFLINE -16 2
dimm_del d1
all
hp clear b
hp hold h 1 $(pfn 33) $BLK_PAGES 1 kernel
dimm_del d1
blocks
nodes
hp free h
dimm_del d1
blocks
