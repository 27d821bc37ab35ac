# SPDX-License-Identifier: MIT
# title: unknown words, a bad default state, and parameters of the kernel command line
# cmdline: quiet memhp_default_state=maybe memory_hotplug.auto_movable_ratio=50 memory_hotplug.online_policy=auto-movable foo.bar=1
# mem: 1G
# smp: 1
P=/sys/module/memory_hotplug/parameters
r memory/auto_online_blocks
for f in $P/*; do r $f; done
r node/possible node/online node/has_cpu node/has_memory node/has_normal_memory
all
dimm_add d1 128M 0
blk 32
w memory/memory32/state online
blk 32
dimm_add d2 256M 0
w memory/memory33/state online
w memory/memory34/state online
blk 32 33 34
zones
