# SPDX-License-Identifier: MIT
# title: the memmap of a later DIMM lies in the kernel memory of the same node
hp reg a 0
dimm_add d1 128M 1
w memory/memory32/state online_kernel
dimm_add d2 128M 1
w memory/memory33/state online_movable
w memory/memory32/state offline
blk 32 33
dimm_del d1
blocks
w memory/memory33/state offline
dimm_del d2
w memory/memory32/state offline
blocks
dimm_del d1
blocks
