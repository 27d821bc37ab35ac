# SPDX-License-Identifier: MIT
# title: CANCEL goes to all callbacks, also to those behind the vetoer
hp reg first 1000
hp reg veto 0
hp reg behind -5
hp reg last -1000
hp uevents 1
dimm_add d1 128M 1
S=memory/memory32/state
hp rule veto GOING_ONLINE -12
w $S online
w $S online_movable
hp clear veto
w $S online_movable
hp rule veto GOING_OFFLINE BAD 1
w $S offline
w $S offline
all
