# SPDX-License-Identifier: MIT
# title: boot memory on both sides of 4 GiB: what the zones span, where added memory goes
# mem: 5G
# timeout: 200
step "at boot"
zones
M=/sys/devices/system/memory
sizes() { (cd $M; for b in 0 1 15 16 23 31 32 40 47 55 56; do [ -e memory$b ] && echo "memory$b $(cat memory$b/valid_zones)"; done) | tr '\n' '|'; }
note "$(sizes)"
step "a DIMM of node 0 above it all"
dimm_add d1 128M 0
zones
blocks_added() { for b in $(ls -d $M/memory[0-9]* | sed 's/.*memory//' | sort -n | tail -n 1); do blk $b; done; }
blocks_added
