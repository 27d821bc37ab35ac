# SPDX-License-Identifier: MIT
# title: garbage in all files of the tree
hp reg a 0
dimm_add d1 128M 1
P=/sys/module/memory_hotplug/parameters
for v in "" 0 -1 99999999999 0x yes; do
	w $P/auto_movable_ratio "$v"
	w $P/auto_movable_numa_aware "$v"
	w $P/online_policy "$v"
done
r $P/auto_movable_ratio $P/auto_movable_numa_aware $P/online_policy $P/memmap_on_memory
for v in "" foo add change remove online offline "add 1234" "change fe4d7c9d-b8c6-4a70-9ef1-3d8a58d18eed A=1" move bind; do
	w memory/memory32/uevent "$v"
done
for v in "" 0 1 0x100000000 -1 zzz 0xffffffffffffffff; do
	w memory/soft_offline_page "$v"
done
w memory/hard_offline_page zzz
for f in node/possible node/online node/has_memory node/node1/meminfo node/node1/cpulist node/node1/distance node/node1/numastat node/node1/vmstat; do w $f 1; done
w memory/memory32 1
w memory 1
w node/node1/compact 1
w memory/memory32/power/control on
w memory/memory32/power/control x
r memory/memory32/power/control node/node1/cpumap node/node1/distance
w memory/memory32/state "$(printf 'online\nfoo')"
w memory/memory32/state "$(head -c 3000 /dev/zero | tr '\0' o)"
r memory/memory32/state
