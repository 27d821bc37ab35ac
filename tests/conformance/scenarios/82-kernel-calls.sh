# SPDX-License-Identifier: MIT
# title: add_memory, remove_memory, offline_and_remove_memory called by a module
hp reg a 0
hp uevents 1
klog_mark
hp addmem 1 0x100000000 0x8000000
blocks
iomem
hp addmem 1 0x100000000 0x8000000
hp addmem 1 0x108000000 0
hp addmem 1 0x108000000 0x4000000
hp addmem 1 0x104000000 0x8000000
hp addmem 7 0x110000000 0x8000000
w memory/memory32/state online_movable
hp rmmem 0x100000000 0x8000000
blocks
hp rule a GOING_OFFLINE -12 1
hp offrm 0x100000000 0x8000000
blocks
hp offrm 0x100000000 0x8000000
blocks
step "not there"
hp rmmem 0x100000000 0x8000000
hp offrm 0x100000000 0x8000000
step "driver managed"
hp addmem 1 0x110000000 0x10000000 "(conf)"
hp addmem 1 0x110000000 0x10000000 kmem
blocks
iomem
r /sys/firmware/memmap/none
w memory/memory34/state online_movable
w memory/memory35/state online_kernel
hp hold h 1 $(pfn 35) $BLK_PAGES 1 kernel
hp offrm 0x110000000 0x10000000
blocks
hp free h
hp offrm 0x110000000 0x10000000
all
