/* SPDX-License-Identifier: MIT */
/* Uevents: their text, their numbers, their listeners (UEVENT-1..14). */
#ifndef MEMPLUG_DEVICE_UEVENT_H
#define MEMPLUG_DEVICE_UEVENT_H

#include <linux/device.h>

/* ACTION@DEVPATH with the standard keys and `extra` ("K=V" strings, NULL-terminated, may be
 * NULL). 0, -ENOMEM (too many or too long: WARN, dropped). */
int uevent_send(const char *action, const char *devpath, const char *subsystem,
		const char *const *extra);
/* The store function of every "uevent" file; devpath NULL: validated only (UEVENT-13). */
ssize_t uevent_store(const char *devpath, const char *subsystem, const char *buf, size_t count);

#endif
