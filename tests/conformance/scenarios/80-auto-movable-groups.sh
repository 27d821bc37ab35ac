# SPDX-License-Identifier: MIT
# title: auto-movable on node 0, which has boot memory: ratio, groups, no raise by hot-added kernel memory
# mem: 1G
# cmdline: memory_hotplug.online_policy=auto-movable memory_hotplug.auto_movable_ratio=40
P=/sys/module/memory_hotplug/parameters
w memory/auto_online_blocks online
for i in 1 2 3 4; do
	dimm_add d$i 128M 0
	blk $((31 + i))
done
zones
dimm_add d5 512M 0
blk 36 37 38 39
step "offline and plain online again"
w memory/memory36/state offline
blk 36
w memory/memory36/state online
blk 36
w memory/memory37/state offline
w memory/memory37/state online_kernel
blk 36 37 38 39
w memory/memory38/state offline
blk 38
w $P/auto_movable_ratio 200
blk 38
w memory/memory38/state online
blk 38
zones
