/* SPDX-License-Identifier: MIT */
/*
 * What the files of this layer share. A unit is one allocation of the machine
 * that is mapped: 64 KiB or 2 MiB. Of its first descriptor, `index` is the
 * address of the program, `private` holds pins. The table leads from addresses
 * to pages. map_state.lock guards table, pins and counters; it is held for
 * moments only. While a unit moves its entries say MAP_MOVING and the lock is
 * free: whoever wants to change such an entry sleeps until it does not.
 */
#ifndef MEMPLUG_MAP_INTERNAL_H
#define MEMPLUG_MAP_INTERNAL_H

#include <linux/kernel.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <memplug/map.h>

#define GRANULE ((size_t)MP_MAP_GRANULE)
#define GRANULE_ORDER 4
#define GRANULE_PAGES (1UL << GRANULE_ORDER)
#define HUGE_BYTES ((size_t)2 << 20)
#define HUGE_ORDER 9

/* ---- table.c: one word for each granule of the program's address space, 0: not ours ---- */

#define MAP_PRESENT 1u
#define MAP_HUGE 2u   /* of a unit of 2 MiB */
#define MAP_MOVING 4u
#define MAP_WHOLE 8u  /* MP_MAP_HUGE: moves in one window, never split */
#define MAP_FORK 16u  /* MP_MAP_FORK */
#define MAP_PRIVATE_COPY 32u /* mapped private since a fork; in a unit's first entry, as MAP_MOVING */
#define MAP_APART 64u /* of the anonymous backend */
#define MAP_STUCK 128u /* could not move when asked last (-EBUSY); in a unit's first entry */
#define MAP_FLAGS 0xffu
#define MAP_PFN_SHIFT 8
typedef u64 entry_t;
typedef u8 attributes_t; /* of a page, see attributes.c; 0: as mapped */

static inline unsigned long entry_pfn(entry_t entry)
{
	return entry >> MAP_PFN_SHIFT;
}
static inline entry_t make_entry(unsigned long pfn, unsigned int flags)
{
	return (entry_t)pfn << MAP_PFN_SHIFT | flags | MAP_PRESENT;
}
static inline struct page *entry_unit(entry_t entry)
{
	unsigned long pfn = entry_pfn(entry);

	return pfn_to_page(entry & MAP_HUGE ? ALIGN_DOWN(pfn, 1UL << HUGE_ORDER) : pfn);
}
static inline size_t unit_bytes(entry_t entry)
{
	return entry & MAP_HUGE ? HUGE_BYTES : GRANULE;
}

/* Once in a process, before all others; mechanism's lock. 0 or -ENOMEM. */
int table_begin(void);
/* Is [at, at + length) a range that the table can hold? */
bool table_covers(const void *at, size_t length);
/* Makes room for [at, at + length). 0 or -ENOMEM. Takes no lock. */
int table_reserve(const void *at, size_t length);
entry_t table_get(const void *at);
/* Of the page at `at`, for which table_reserve() was called; those of a unit follow one another. */
attributes_t *table_attributes(const void *at);
/* Changes an entry and keeps count of mappings. map_state.lock held. */
void table_set(const void *at, entry_t entry);
/* The next entry that is not 0 in [at, end); NULL: none. Takes no lock. */
char *table_next(char *at, char *end);
/* No address of the program is beyond. */
char *table_end(void);
void table_forget(void);

/* ---- state ---- */

struct map_state {
	struct mutex lock;
	u32 moved_sequence; /* one step whenever a unit stops moving; slept on */
	u32 movers_waited;  /* sleepers on it */
	u64 snapshots;	    /* granules with MAP_PRIVATE_COPY */
	u64 fork_units;	    /* with MAP_FORK; atomic */
	u64 units, huge_units, pinned, moved, bytes_moved, failed;
	u64 mappings;	    /* runs of the program's addresses that are one piece of a block; read without the lock, too */
	u64 mappings_limit; /* vm.max_map_count */
	bool no_mapping;    /* the host refused the last one; atomic */
	/* Atomic: */
	u64 futexes_woken;
	u64 window_max_ns, windows[MP_MAP_WINDOW_BUCKETS];
};
extern struct map_state map_state;

/* ---- mechanism.c ---- */

struct mechanism {
	int uffd, pagemap; /* -1: not open; pagemap below: the host has none */
	enum mechanism_source {
		SOURCE_CALL,	  /* userfaultfd(2) */
		SOURCE_DEVICE,	  /* /dev/userfaultfd */
		SOURCE_INHERITED, /* a descriptor of it that MEMPLUG_USERFAULTFD names */
		NR_SOURCES,
	} source;		  /* of uffd; the first that could be had */
	int error[NR_SOURCES];	  /* why not those before it; all if there is none */
};
extern struct mechanism mechanism;
/* Something can hold pages still; opens it anew if the program has closed it. 0, or -EOPNOTSUPP with a reason. */
int mechanism_ready(void);
/* The program may have closed the descriptors: the next mechanism_ready() opens others if so. */
void mechanism_check(void);
/* Holds writers to a range back; true as long as it does; lets those go on who wait. */
int hold(void *at, size_t len);
bool is_held(const void *at);
int release(void *at, size_t len); /* an error: the descriptor is no more */
/* What the host says about pages of the program; false: nothing. */
bool read_pagemap(const void *at, u64 *entries, size_t pages);
/* A copy of its own, of a private mapping. */
bool pagemap_is_private(u64 entry);

/* ---- backend.c: how units of a kind of memory are mapped, and how they move ---- */

/*
 * `at` is the program's address. All return 0 or -errno. A backend's calls are made by who owns the unit or has
 * it claimed; they allocate nothing and touch none of the program's memory but what they move.
 */
struct map_backend {
	const char *name; /* as mp_map_mechanism() */
	unsigned int entry_flag; /* of its units' entries */
	/* Units can be mapped and moved now; -EOPNOTSUPP with a reason. */
	int (*ready)(void);
	/* Makes a unit nobody has mapped read as zero where it will be mapped. */
	int (*clear)(struct page *page, size_t bytes);
	/* Maps it in place of what is mapped there; entry flags MAP_... */
	int (*place)(struct page *page, char *at, size_t bytes, unsigned int flags);
	/* Moves it to dst, of the same backend, while threads use it; all of it is as before on failure. With `runs`
	 * `bytes` may be more: units that are neighbours at all three places, claimed and up to 2 MiB in all. */
	int (*move)(struct page *dst, struct page *src, entry_t entry, size_t bytes);
	bool runs;
	/* The granules at `at` read as zero from now on, their memory being the host's. */
	int (*discard)(char *at, size_t bytes, entry_t entry);
	/* Before a fork: child and parent write apart from now on. NULL: the host sees to that. map_state.lock held. */
	int (*make_private)(struct page *page, char *at, size_t bytes);
};
/* Of memory of the machine; NULL: of a kind that cannot be mapped. *granule: its pages. */
const struct map_backend *backend_of_page(const struct page *page, u64 *granule);
const struct map_backend *backend_of(entry_t entry);

/* ---- anonymous.c ---- */

extern const struct map_backend map_anonymous_backend;
/* Bytes that count as [start, start + size) and that the host holds. No lock. */
u64 anonymous_resident(u64 start, u64 size);

/* ---- unit.c ---- */

/* What to take: `whole` units are never split. */
struct unit_request {
	int nid;
	gfp_t gfp;
	unsigned int order;
	bool whole;
	const void *site;
};
/* A unit, zero inside and not yet movable, and its backend; NULL and *error. */
struct page *unit_take(const struct unit_request *req, const struct map_backend **backend, int *error);
/* Published in the table: it may move from now on. */
void unit_publish(struct page *page, void *at);
/* Out of the table and unmapped: back to the machine. */
void unit_free(struct page *page);
/* Makes it read as zero, whatever its pages held. 0 or -errno. */
int unit_clear(struct page *page, size_t bytes);
/* Puts what is at `direct` in the direct map into the program's range, in place of what is there. */
int place(char *direct, void *at, size_t bytes);
/* Of a unit of 2 MiB that its caller has claimed: it becomes granules, of which all are claimed. */
void unit_split(char *at);

/* ---- attributes.c: what the program has set for single pages ---- */

/* How much from `at` on, of up to `bytes`, is like the page there, and how that is. */
size_t attributes_run(const char *at, size_t bytes, attributes_t *attributes);
/* Other protection than for reading and writing; none for reading. */
bool attributes_protect(attributes_t attributes);
bool attributes_hide(attributes_t attributes);
/* place() and make_private(), of such pages. */
int attributes_place(char *direct, char *at, size_t bytes, attributes_t attributes);
int attributes_make_private(u64 start, char *at, size_t bytes);
/* Advice again, when all of the range has been mapped anew. */
void attributes_again(char *at, size_t bytes);
/* They have another address; they are no more. map_state.lock held. */
void attributes_readdress(char *from, char *to, size_t bytes);
void attributes_forget(char *at, size_t bytes);
/* What the program itself may not read. 0 or -errno. */
int attributes_read_hidden(void *to, const char *from, size_t bytes);
/* The file backend's discard(). */
int attributes_discard(char *at, size_t bytes, entry_t entry);

/* ---- move.c ---- */

extern const struct movable_operations map_operations;
void move_prepare(void); /* at start */
/* Claims the unit, unless it cannot move just now (0); ends that, the unit being in dst without `error`. Both
 * pages locked. */
entry_t begin_move(struct page *src);
void finish_move(struct page *dst, struct page *src, entry_t entry, int error);
/* Splits a unit of 2 MiB of which `page`, locked, is the first page, if it is one and nobody has it claimed. */
void unit_split_locked(struct page *page);

/* ---- window.c: the backend of files ---- */

/* Its move(). */
int move_in_windows(struct page *dst, struct page *src, entry_t entry, size_t bytes);
/* Claimed, mapped private and read by no child: what the program wrote goes into the page, which is
 * mapped shared again. */
int fold_claimed(char *at);

/* Of a granule, to the page it left, which is taken; `sums` are that page's. 0 or -errno, nothing being changed. */
int move_back(struct page *dst, struct page *src, u32 *sums);

/* ---- copy.c ---- */

#define SUM_BYTES 256u
/* Multiples of that; a sum of each SUM_BYTES of what was there goes to `sums` unless that is NULL. */
void copy_summed(char *to, const char *from, size_t bytes, u32 *sums);
/* The same, but what is at `to` stays where its sum is another one than in `sums`. */
void copy_back(char *to, const char *from, size_t bytes, u32 *sums);

/* ---- guard.c: pages that the kernel still uses when a block has become empty ---- */

/* An offline has been asked for, and nothing has moved. 0 or -errno. */
int guard_begin(unsigned long pfn, unsigned long nr_pages);
/* Where the sums of what is copied from there go; NULL: nowhere. */
u32 *guard_sums(const char *from);
/* Moved, table and descriptors say so. map_state.lock held. */
void guard_moved(const struct page *src, const struct page *dst, size_t bytes);
/* A unit is being given up. */
void guard_forget(const struct page *page);
/* In a fork child: its parent may be about to take a block away. */
void guard_forget_all(void);
/* The offline has emptied its block, or failed (`error`). Its result: -EBUSY with a reason when pages are
 * still used; all is where it was then. */
int guard_check(int error);

/* ---- lock.c: mlock() ---- */

struct page_bits {
	u64 word[(HUGE_BYTES >> PAGE_SHIFT) / 64];
};
/* Of a shared range of up to 2 MiB: the pages that are locked in memory; false: none. */
bool locked_pages(char *at, size_t bytes, struct page_bits *locked);
/* Of a range that is mapped private. */
bool locked_private_pages(char *at, size_t bytes, struct page_bits *locked);
/* Locks them; with `sparse` what is not there is locked when it comes. */
void lock_again(char *at, size_t bytes, const struct page_bits *locked, bool sparse);
/* They are mapped private, and shared until they are written. */
void lock_private_again(char *at, size_t bytes, const struct page_bits *locked);
/* What was heard a moment ago does not do. */
void locks_ask_anew(void);

/* ---- fork.c ---- */

/* Handlers and the thread that folds. 0 or -errno. mechanism's lock. */
int fork_prepare(void);
void fork_forget(void);
/* A unit was published; a fork may be under way. All with map_state.lock held: */
void fork_new_unit(char *at);
/* A fork child, or one that is just being made, reads the pages of private units. */
bool snapshots_read(void);
/* Out of the table: its page is kept until no child reads it. */
void quarantine_page(struct page *page);

/* ---- futex.c ---- */

int futex_prepare(void);
void futex_forget(void);
/* An offline begins, and ends with futex_all_moved(). */
void futex_begin(void);
void futex_unit_moved(void *at, void *from, size_t bytes);
/* No more of this block will move, and its memory is there still. */
void futex_all_moved(void);

/* ---- claim.c: a claimed unit neither moves nor changes but by who claimed it (MAP_MOVING) ---- */

/* The address at which the unit under `at` begins. */
static inline char *unit_start(const void *at, entry_t entry)
{
	return (char *)ALIGN_DOWN((uintptr_t)at, unit_bytes(entry));
}
/* Sleeps until nobody has the unit under `at` claimed; its entry. map_state.lock held before and after. */
entry_t await_unit(const void *at);
void claim_unit(char *start);
/* A claimed unit is claimed no more, or gone: whoever waits for it looks again. map_state.lock held. */
void unit_changed(void);
void unclaim_unit(char *start); /* both: map_state.lock held */
/*
 * Claims all units in [at, at + length), whole granules; with `split` no unit reaches beyond it
 * afterwards, else the outer ones are claimed whole. 0; -EINVAL (some of it is not mapped), -EBUSY with a
 * reason (pinned), nothing being claimed then.
 */
int claim_range(const char *what, char *at, size_t length, bool split);
void unclaim_range(char *at, size_t length);
#define for_each_unit(start, entry, at, length)                                                    \
	for ((start) = unit_start((at), table_get(at));                                            \
	     (start) < (char *)(at) + (length) && ((entry) = table_get(start), true);              \
	     (start) += unit_bytes(entry))

/* ---- pin.c ---- */

#define PIN_COUNT_MASK 0xffffUL
static inline unsigned long unit_pins(const struct page *page)
{
	return READ_ONCE(page->private) & PIN_COUNT_MASK;
}
/* -EBUSY with a reason that names who pinned it. */
int refuse_pinned(const char *what, const struct page *page);
const char *pin_holder(const struct page *page, char *name, size_t size);

/* ---- offline.c ---- */

/* What of the range is mapped cannot go elsewhere: -EBUSY or -ENOMEM with a reason; 0. */
int map_refuses_offline(unsigned long pfn, unsigned long nr_pages);
/* The range is empty, or the offline failed: its result. */
int map_offline_empty(int error);
/* What of a mapped page keeps it where it is, for reasons; NULL: nothing known. */
const char *map_page_state(const struct page *page);

/* ---- files.c, stats.c ---- */

ssize_t map_show(char **buf);

void count_window(u64 ns);
/* What vm.max_map_count leaves to us. */
u64 mappings_allowed(void);

#endif
