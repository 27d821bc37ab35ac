# SPDX-License-Identifier: MIT
# title: node masks and present pages at each of the events
hp reg a 0
for ev in GOING_ONLINE ONLINE CANCEL_ONLINE GOING_OFFLINE OFFLINE CANCEL_OFFLINE; do hp act a $ev state 1; done
hp reg veto -1000
dimm_add d1 256M 1
for z in kernel movable; do
	hp rule veto GOING_ONLINE -12
	w memory/memory32/state online_$z
	hp clear veto
	w memory/memory32/state online_$z
	hp rule veto GOING_OFFLINE -12
	w memory/memory32/state offline
	hp clear veto
	w memory/memory33/state online_movable
	w memory/memory33/state offline
	w memory/memory32/state offline
done
hp act a GOING_ONLINE state 0
w memory/memory32/state online
