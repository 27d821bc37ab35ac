# SPDX-License-Identifier: MIT
# title: more DIMMs than slots, larger than maxmem, same id, many in and out
# slots: 3
# maxmem: 1G
dimm_add a 128M 1
dimm_add b 128M 1
dimm_add c 128M 1
dimm_add d 128M 1
q dimms
dimm_del b
dimm_add e 256M 1
q dimms
dimm_del a
dimm_add f 128M 1
dimm_del c
dimm_add g 1G 1
q dimms
blocks
q nosuch request
