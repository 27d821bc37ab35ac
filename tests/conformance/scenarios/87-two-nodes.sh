# SPDX-License-Identifier: MIT
# title: DIMMs on node 0 and node 1 in mixed order, out in another
hp reg a 5
hp reg b -5
hp uevents 1
dimm_add x 128M 1
dimm_add y 256M 0
q dimms
all
w memory/memory33/state online_movable
w memory/memory32/state online
w memory/memory34/state online_movable
all
dimm_del y
all
dimm_del x
all
dimm_del nosuch
dimm_add x 128M
q dimms
dimm_add x 128M 1
dimm_add z 128M 5
dimm_add z 100M 1
q dimms
blocks
