# SPDX-License-Identifier: MIT
# title: hptrace commands at their edges
hp nonsense
hp reg
hp reg a
hp reg a x
hp reg a 0
hp reg a 0
hp reg a 1
hp rule a NOSUCH -1
hp rule b ONLINE -1
hp rule a ONLINE foo
hp rule a ONLINE -1 x
hp act a ONLINE dance
hp act nobody ONLINE none
hp act a ONLINE free nothing
hp clear nobody
hp unreg nobody
hp rereg nobody
hp mark hello there
hp hold h 1 0x100000 32768 1 kernel
hp hold h 0 0 0x20000 0 kernel
hp hold h 0 0 0x20000 1 funny
hp hold h 0 0 0x20000 1 kernel
hp hold h 0 0 0x20000 1 kernel
hp unref h
hp reref h
hp free h
hp free h
hp tryalloc 0 0 0x20000
hp tryalloc 1 0x100000 32768
hp tryalloc x 0 0
hp regmany 3 7
hp reg q1 0
hp uevents 1
hp uevents 1
hp reg quiet 9 quiet
dimm_add d1 128M 1
w memory/memory32/state online
hp unreg \*
w memory/memory32/state offline
hp unreg \*
hp clear \*
hp reg b -2147483648
hp reg c 2147483648
hp reg d 0x10
hp reg averyveryverylongnamethatiscut 1
hp uevents 0
w memory/memory32/state online
hp rule d GOING_OFFLINE 0x8002 3
w memory/memory32/state offline
w memory/memory32/state offline
hp rule d OFFLINE -12 0
w memory/memory32/state offline
hp unreg averyveryverylongnamethatiscut
