# SPDX-License-Identifier: MIT
# title: the topology of CPUs, which those have that are online; the files of power management
# smp: 2
hp uevents 1
P=/sys/devices/system/cpu
names() { note "$1: $(ls $P/$1/topology 2>/dev/null | tr '\n' ' ')"; }
modes() { note "$(cd /sys/devices/system/$1 && ls -l | awk 'NF > 8 { print $1, $9 }' | tr '\n' '|')"; }
T=cpu/cpu1/topology
step "both online"
names cpu0
names cpu1
modes $T
for f in thread_siblings core_siblings core_cpus cluster_cpus die_cpus package_cpus; do r $T/$f $T/${f}_list; done
r $T/core_id $T/physical_package_id $T/die_id $T/cluster_id
r cpu/online cpu/offline cpu/present cpu/possible node/node0/cpumap node/node0/cpulist
w $T/core_id 3
step "one offline"
w cpu/cpu1/online 0
names cpu0
names cpu1
r cpu/cpu0/topology/core_siblings cpu/cpu0/topology/core_siblings_list cpu/cpu0/topology/package_cpus
r cpu/online cpu/offline cpu/present cpu/possible node/node0/cpumap node/node0/cpulist
w cpu/cpu1/online 1
names cpu1
r cpu/cpu0/topology/core_siblings_list
step "power"
modes memory/memory1/power
modes memory/power
modes node/node0/power
for f in async runtime_active_kids runtime_enabled runtime_usage; do r memory/memory1/power/$f memory/power/$f; done
w memory/memory1/power/async enabled
r memory/memory1/power/async
w memory/memory1/power/async on
w memory/memory1/power/async disabled
r memory/memory1/power/async
w memory/memory1/power/control on
r memory/memory1/power/runtime_enabled
w memory/memory1/power/control auto
r memory/memory1/power/runtime_enabled
