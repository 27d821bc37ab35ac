# SPDX-License-Identifier: MIT
# title: status_change_nid and nid_normal: all combinations on node 1
hp reg a 0
dimm_add d1 384M 1
step "movable first: memory, not normal"
w memory/memory34/state online_movable
nodes
step "kernel then: normal alone"
w memory/memory32/state online_kernel
nodes
step "second kernel"
w memory/memory33/state online_kernel
nodes
step "kernel blocks go: normal with the last"
w memory/memory32/state offline
w memory/memory33/state offline
nodes
step "last movable goes"
w memory/memory34/state offline
nodes
step "kernel alone: both at once, and back"
w memory/memory32/state online_kernel
nodes
w memory/memory33/state online_movable
nodes
w memory/memory33/state offline
w memory/memory32/state offline
nodes
step "vetoed: the nids all the same"
hp rule a GOING_ONLINE -5
w memory/memory32/state online_kernel
w memory/memory32/state online_movable
nodes
