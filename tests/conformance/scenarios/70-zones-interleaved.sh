# SPDX-License-Identifier: MIT
# title: valid_zones of a DIMM of four blocks: kernel and movable blocks side by side, holes, what "online" takes then
hp reg a 0
dimm_add d1 512M 1
blk 32 33 34 35
w memory/memory33/state online_kernel
blk 32 33 34 35
w memory/memory35/state online_movable
blk 32 33 34 35
zones
w memory/memory34/state online_movable
w memory/memory32/state online_movable
blk 32 33 34 35
zones
step "a hole inside the movable zone"
w memory/memory34/state offline
blk 34
zones
w memory/memory34/state online
blk 34
w memory/memory34/state offline
w memory/memory34/state online_kernel
blk 32 33 34 35
zones
step "the ends of the zones go"
w memory/memory32/state offline
zones
w memory/memory35/state offline
zones
w memory/memory34/state offline
zones
w memory/memory33/state offline
zones
blk 32 33 34 35
