/* SPDX-License-Identifier: MIT */
/* All of memplug's own API. The kernel-named API is in <linux/...> (pkg-config memplug-kernel). */
#ifndef MEMPLUG_MEMPLUG_H
#define MEMPLUG_MEMPLUG_H

#include <memplug/device_memory.h>
#include <memplug/hooks.h>
#include <memplug/machine.h>
#include <memplug/map.h>
#include <memplug/module.h>
#include <memplug/reason.h>
#include <memplug/ring.h>
#include <memplug/runtime.h>
#include <memplug/serve.h>
#include <memplug/slot.h>
#include <memplug/tree.h>

#endif
