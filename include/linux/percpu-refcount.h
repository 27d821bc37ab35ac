/* SPDX-License-Identifier: MIT */
/*
 * A count of users with an end: from percpu_ref_kill() on nobody new gets in,
 * and when the last one has left, `release` is called once. Here one atomic
 * word; the name is the kernel's, which spreads it over the CPUs.
 */
#ifndef MEMPLUG_LINUX_PERCPU_REFCOUNT_H
#define MEMPLUG_LINUX_PERCPU_REFCOUNT_H

#include <linux/types.h>

#define MP_REF_DYING (1ULL << 63)

struct percpu_ref;
typedef void (percpu_ref_func_t)(struct percpu_ref *ref);

struct percpu_ref {
	u64 word; /* atomic: users, the first one included until the kill, and MP_REF_DYING */
	percpu_ref_func_t *release;
};

static inline int percpu_ref_init(struct percpu_ref *ref, percpu_ref_func_t *release,
				  unsigned int flags, gfp_t gfp)
{
	(void)flags;
	(void)gfp;
	ref->release = release;
	__atomic_store_n(&ref->word, 1, __ATOMIC_RELEASE);
	return 0;
}
static inline void percpu_ref_exit(struct percpu_ref *ref)
{
	__atomic_store_n(&ref->word, MP_REF_DYING, __ATOMIC_RELEASE);
}
static inline bool percpu_ref_is_dying(struct percpu_ref *ref)
{
	return __atomic_load_n(&ref->word, __ATOMIC_ACQUIRE) & MP_REF_DYING;
}
/* By somebody who has one already. */
static inline void percpu_ref_get_many(struct percpu_ref *ref, unsigned long nr)
{
	__atomic_fetch_add(&ref->word, nr, __ATOMIC_RELAXED);
}
static inline void percpu_ref_get(struct percpu_ref *ref)
{
	percpu_ref_get_many(ref, 1);
}
/* One more user unless the end has begun; true when taken. */
static inline bool percpu_ref_tryget_live(struct percpu_ref *ref)
{
	u64 word = __atomic_load_n(&ref->word, __ATOMIC_RELAXED);

	do {
		if (word & MP_REF_DYING)
			return false;
	} while (!__atomic_compare_exchange_n(&ref->word, &word, word + 1, true, __ATOMIC_ACQUIRE,
					      __ATOMIC_RELAXED));
	return true;
}
static inline void percpu_ref_put_many(struct percpu_ref *ref, unsigned long nr)
{
	percpu_ref_func_t *release = ref->release;

	/* Release and acquire: what all users did comes before the end. */
	if (__atomic_sub_fetch(&ref->word, nr, __ATOMIC_ACQ_REL) == MP_REF_DYING)
		release(ref);
}
static inline void percpu_ref_put(struct percpu_ref *ref)
{
	percpu_ref_put_many(ref, 1);
}
static inline void percpu_ref_kill(struct percpu_ref *ref)
{
	__atomic_fetch_or(&ref->word, MP_REF_DYING, __ATOMIC_ACQ_REL);
	percpu_ref_put(ref);
}

#endif
