/* SPDX-License-Identifier: MIT */
/*
 * Buffers whose addresses the kernel or a device keeps for a while: the blocks that they lie in stay as long
 * (direct.c, async.c say which). A fork child does not get pinned memory from the machine's library, so it
 * gets a copy from here, as the kernel itself copies pinned pages. pins.lock guards all; it is held across a
 * fork, so that no pin comes or goes between the copies and the fork. Lock order: pins.lock > the machine's.
 */
#include "preload.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include <memplug/map.h>

#define MAX_PINS 65536u
#define WINDOW ((size_t)2 << 20) /* pins hold units of up to so much */

struct pin {
	enum pin_owner owner; /* PIN_FREE: unused */
	uintptr_t key, request;
	char *at;
	size_t size;
};

static struct {
	pthread_mutex_t lock;
	struct pin *pin; /* MAX_PINS, of which `top` have been used */
	unsigned int top, nr;
	char *copies; /* between prepare and the end of a fork: windows, one behind another */
	char **windows; /* where they belong */
	size_t nr_windows;
} pins = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* This thread is between prepare and the end of a fork, and holds pins.lock. */
static __thread bool forking INITIAL_EXEC;

static void *plain(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* ---- taking and dropping ---- */

static struct pin *new_pin(void)
{
	unsigned int i;

	if (!pins.pin)
		pins.pin = plain(MAX_PINS * sizeof(*pins.pin));
	if (!pins.pin || pins.nr == MAX_PINS)
		return NULL;
	for (i = pins.nr < pins.top ? 0 : pins.top; pins.pin[i].owner != PIN_FREE; i++)
		;
	if (i == pins.top)
		pins.top++;
	pins.nr++;
	return &pins.pin[i];
}

static void free_pin(struct pin *pin)
{
	pin->owner = PIN_FREE;
	pins.nr--;
	while (pins.top && pins.pin[pins.top - 1].owner == PIN_FREE)
		pins.top--;
}

/* Lock held: one run of the machine's granules. Its name is what an operator reads in a refusal. */
__attribute__((noinline)) static int io_buffer_of_the_program(enum pin_owner owner, uintptr_t key, uintptr_t request, char *at, size_t size)
{
	struct pin *pin = new_pin();
	int error;

	if (!pin)
		return -ENOMEM;
	error = mp_pin(at, size);
	*pin = (struct pin){ error ? PIN_FREE : owner, key, request, at, size };
	if (error)
		free_pin(pin);
	return error == -ENOMEM ? error : 0; /* what is not the machine's does not move */
}

static void drop(enum pin_owner owner, uintptr_t key, uintptr_t request)
{
	unsigned int i = pins.top;

	while (i-- > 0) {
		struct pin *pin = &pins.pin[i];

		if (pin->owner == owner && pin->key == key && (!request || pin->request == request)) {
			mp_unpin(pin->at, pin->size);
			free_pin(pin);
		}
	}
}

void pin_drop(enum pin_owner owner, uintptr_t key, uintptr_t request)
{
	if (forking)
		return;
	pthread_mutex_lock(&pins.lock);
	drop(owner, key, request);
	pthread_mutex_unlock(&pins.lock);
}

bool pins_any(void)
{
	return __atomic_load_n(&pins.nr, __ATOMIC_RELAXED);
}

int pin_take(enum pin_owner owner, uintptr_t key, uintptr_t request, const struct iovec *part, size_t nr)
{
	size_t i, size;
	int error = 0;
	char *at;

	pthread_mutex_lock(&pins.lock);
	for (i = 0; i < nr && !error; i++) {
		char *end = (char *)part[i].iov_base + part[i].iov_len;

		for (at = part[i].iov_base; !error && (size = region_machine_run(&at, end)); at += size)
			error = io_buffer_of_the_program(owner, key, request, at, size);
	}
	if (error)
		drop(owner, key, request);
	pthread_mutex_unlock(&pins.lock);
	return error;
}

/* ---- fork ---- */

static bool has_window(const char *at)
{
	size_t i;

	for (i = 0; i < pins.nr_windows; i++)
		if (pins.windows[i] == at)
			return true;
	return false;
}

/* All windows of a pin, or of all pins counted: what lies in them. */
static void add_windows(const struct pin *pin)
{
	char *at = (char *)((uintptr_t)pin->at & ~(WINDOW - 1));

	for (; at < pin->at + pin->size; at += WINDOW)
		if (!has_window(at))
			pins.windows[pins.nr_windows++] = at;
}

static size_t most_windows(void)
{
	size_t n = 0;
	unsigned int i;

	for (i = 0; i < pins.top; i++)
		if (pins.pin[i].owner != PIN_FREE)
			n += pins.pin[i].size / WINDOW + 2;
	return n;
}

void pins_before_fork(void)
{
	size_t most, i, size;
	unsigned int p;
	char *at;

	pthread_mutex_lock(&pins.lock);
	forking = true;
	if (!pins.nr)
		return;
	most = most_windows();
	pins.nr_windows = 0;
	pins.windows = plain(most * sizeof(*pins.windows));
	for (p = 0; pins.windows && p < pins.top; p++)
		if (pins.pin[p].owner != PIN_FREE)
			add_windows(&pins.pin[p]);
	pins.copies = pins.windows ? plain(pins.nr_windows * WINDOW) : NULL;
	if (!pins.copies) {
		say("a fork child does not get what is pinned: no memory for a copy");
		return;
	}
	for (i = 0; i < pins.nr_windows; i++)
		for (at = pins.windows[i]; (size = region_machine_run(&at, pins.windows[i] + WINDOW)); at += size)
			memcpy(pins.copies + i * WINDOW + (at - pins.windows[i]), at, size);
}

static void forget_copies(void)
{
	if (pins.copies)
		munmap(pins.copies, pins.nr_windows * WINDOW);
	if (pins.windows)
		munmap(pins.windows, most_windows() * sizeof(*pins.windows));
	pins.copies = NULL;
	pins.windows = NULL;
}

void pins_after_fork(void)
{
	if (pins.nr)
		forget_copies();
	forking = false;
	pthread_mutex_unlock(&pins.lock);
}

/* Called while the region still knows what was the machine's. */
void pins_in_child(void)
{
	size_t i, size;
	char *at, *from;

	for (i = 0; pins.copies && i < pins.nr_windows; i++) {
		for (at = pins.windows[i]; (size = region_machine_run(&at, pins.windows[i] + WINDOW)); at += size) {
			from = pins.copies + i * WINDOW + (at - pins.windows[i]);
			if (mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, at) == MAP_FAILED)
				say("what is pinned is not in the fork child");
		}
	}
	if (pins.nr)
		forget_copies();
	if (pins.pin)
		memset(pins.pin, 0, pins.top * sizeof(*pins.pin));
	pins.top = pins.nr = 0;
	forking = false;
	pthread_mutex_init(&pins.lock, NULL);
}
