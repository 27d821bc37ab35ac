// SPDX-License-Identifier: MIT
/*
 * What chmod and chown have set, by the object's id: it holds until the object
 * goes, whose id nobody gets again, the machine ends, or the mount does (SYSFS-3).
 * modes.lock guards the list; it is short.
 */
#include "mount.h"

#include <errno.h>
#include <stdlib.h>

struct mode {
	struct mode *next;
	uint64_t id;
	unsigned int bits; /* permissions */
	uid_t uid;
	gid_t gid;
};

static struct {
	pthread_mutex_t lock;
	struct mode *first;
	bool any; /* atomic */
} modes = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Lock held. */
static struct mode *find(uint64_t id)
{
	struct mode *mode = modes.first;

	while (mode && mode->id != id)
		mode = mode->next;
	return mode;
}

void modes_apply(uint64_t id, struct stat *st)
{
	struct mode *mode;

	if (!__atomic_load_n(&modes.any, __ATOMIC_RELAXED))
		return;
	pthread_mutex_lock(&modes.lock);
	mode = find(id);
	if (mode) {
		st->st_mode = (st->st_mode & S_IFMT) | mode->bits;
		st->st_uid = mode->uid;
		st->st_gid = mode->gid;
	}
	pthread_mutex_unlock(&modes.lock);
}

int modes_set(uint64_t id, const struct stat *st)
{
	struct mode *mode;

	pthread_mutex_lock(&modes.lock);
	mode = find(id);
	if (!mode) {
		mode = calloc(1, sizeof(*mode));
		if (mode) {
			mode->id = id;
			mode->next = modes.first;
			modes.first = mode;
		}
	}
	if (mode) {
		mode->bits = st->st_mode & 07777;
		mode->uid = st->st_uid;
		mode->gid = st->st_gid;
		__atomic_store_n(&modes.any, true, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&modes.lock);
	return mode ? 0 : -ENOMEM;
}

void modes_forget(void)
{
	struct mode *mode;

	pthread_mutex_lock(&modes.lock);
	while ((mode = modes.first)) {
		modes.first = mode->next;
		free(mode);
	}
	__atomic_store_n(&modes.any, false, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&modes.lock);
}
