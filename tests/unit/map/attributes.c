/* SPDX-License-Identifier: MIT */
/* What a program sets for single pages of mapped memory stays when they move: protection, advice. */
#include "live.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define PAGE ((size_t)4096)

static int file = -1; /* of one page, to ask the kernel with */

/* Nothing is changed by asking. */
static bool may_read(const char *at)
{
	if (file < 0)
		file = memfd_create("attributes", 0);
	return syscall(SYS_pwrite64, file, at, 1, 0) == 1;
}

/* Of a page that may be read. */
static bool may_write(char *at)
{
	return may_read(at) && syscall(SYS_pread64, file, at, 1, 0) == 1;
}

static void check_protection(char *at)
{
	CHECK(may_write(at) && may_write(at + MIB - PAGE));
	CHECK(!may_read(at + MIB));
	CHECK(may_write(at + MIB + PAGE) && may_write(at + 2 * MIB - PAGE));
	for (int i = 0; i < 3; i++)
		CHECK(may_read(at + 2 * MIB + i * PAGE) && !may_write(at + 2 * MIB + i * PAGE));
	CHECK(may_write(at + 2 * MIB + 3 * PAGE));
	/* A whole unit, and the end of the range. */
	CHECK(!may_read(at + 4 * MIB) && !may_read(at + 6 * MIB - PAGE) && may_write(at + 6 * MIB));
	CHECK(has_flag(at + 7 * MIB, "ex") && !has_flag(at + 7 * MIB + PAGE, "ex"));
	CHECK(!may_read(at + 8 * MIB + GRANULE - PAGE) && may_write(at + 8 * MIB));
}

TEST(attributes_protection, "pages that may not be read, written, or be executed stay so when they move, and keep what they hold")
{
	size_t length = 8 * MIB + GRANULE;
	char *at;

	start(2);
	at = map(length, 0);
	write_pattern(at, length, 5);
	CHECK_EQ(mp_map_protect(at + MIB, PAGE, PROT_NONE), 0);
	CHECK_EQ(mp_map_protect(at + 2 * MIB, 3 * PAGE, PROT_READ), 0);
	CHECK_EQ(mp_map_protect(at + 4 * MIB, 2 * MIB, PROT_NONE), 0);
	CHECK_EQ(mp_map_protect(at + 7 * MIB, PAGE - 1, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
	CHECK_EQ(mp_map_protect(at + 8 * MIB + GRANULE - PAGE, PAGE, PROT_NONE), 0);
	for (int i = 0; i < 4; i++) {
		check_protection(at);
		move_about(1);
	}
	check_protection(at);
	if (!is_anonymous())
		CHECK_GE(map_stats().bytes_moved, 3 * length);
	CHECK_EQ(mp_map_protect(at, length, PROT_READ | PROT_WRITE), 0);
	CHECK_EQ(wrong(at, length, 5), 0);
	move_about(1);
	CHECK(may_write(at + MIB) && may_write(at + 2 * MIB) && may_write(at + 5 * MIB));
	CHECK(!has_flag(at + 7 * MIB, "ex"));
	CHECK_EQ(wrong(at, length, 5), 0);
	CHECK_EQ(mp_unmap(at, length), 0);
	finish();
}

/* ---- at every moment ---- */

static struct {
	char *hidden, *shown;
	int file, stop; /* stop: atomic */
	unsigned long tries; /* atomic */
	unsigned long entered;
} prober;

/* As who relies on a fault: for none of its tries is the page open. */
static void *probe_pages(void *arg)
{
	while (!__atomic_load_n(&prober.stop, __ATOMIC_RELAXED)) {
		prober.entered += syscall(SYS_pwrite64, prober.file, prober.hidden, 1, 0) == 1;
		prober.entered += syscall(SYS_pread64, prober.file, prober.shown, 1, 1) == 1;
		__atomic_fetch_add(&prober.tries, 1, __ATOMIC_RELAXED);
	}
	return arg;
}

TEST(attributes_always, "at no moment of a move may anybody do what the program has forbidden")
{
	pthread_t thread;
	char *at;

	start(2);
	at = map(4 * MIB, MP_MAP_POPULATE);
	prober.file = memfd_create("prober", 0);
	CHECK_EQ(pwrite(prober.file, "xy", 2, 0), 2);
	prober.hidden = at + MIB + PAGE;
	prober.shown = at + 3 * MIB + 5 * PAGE;
	CHECK_EQ(mp_map_protect(prober.hidden, PAGE, PROT_NONE), 0);
	CHECK_EQ(mp_map_protect(prober.shown, PAGE, PROT_READ), 0);
	CHECK_EQ(pthread_create(&thread, NULL, probe_pages, NULL), 0);
	AWAIT(__atomic_load_n(&prober.tries, __ATOMIC_RELAXED));
	move_about(20);
	__atomic_store_n(&prober.stop, 1, __ATOMIC_RELAXED);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(prober.entered, 0);
	CHECK_EQ(prober.shown[0], 0);
	close(prober.file);
	CHECK_EQ(mp_unmap(at, 4 * MIB), 0);
	finish();
}

/* ---- advice ---- */

TEST(attributes_advice, "what is to be left out of a core, or not to be in huge pages, stays so when it moves")
{
	char *at;

	start(2);
	at = map(4 * MIB, MP_MAP_POPULATE);
	CHECK_EQ(mp_map_advise(at + PAGE, 2 * PAGE, MADV_DONTDUMP), 0);
	CHECK_EQ(mp_map_advise(at + 2 * MIB, MIB, MADV_NOHUGEPAGE), 0);
	for (int i = 0; i < 3; i++) {
		CHECK(!has_flag(at, " dd") && has_flag(at + PAGE, " dd") && has_flag(at + 2 * PAGE, " dd"));
		CHECK(!has_flag(at + 3 * PAGE, " dd") && !has_flag(at + 2 * MIB, " dd"));
		CHECK(has_flag(at + 2 * MIB, " nh") && has_flag(at + 3 * MIB - PAGE, " nh"));
		CHECK(!has_flag(at + 2 * MIB - PAGE, " nh") && !has_flag(at + 3 * MIB, " nh"));
		CHECK(is_anonymous() || has_flag(at + 2 * MIB, " dc"));
		move_about(1);
	}
	CHECK_EQ(mp_map_advise(at, 4 * MIB, MADV_DODUMP), 0);
	CHECK_EQ(mp_map_advise(at, 4 * MIB, MADV_HUGEPAGE), 0);
	move_about(1);
	CHECK(!has_flag(at + PAGE, " dd") && !has_flag(at + 2 * MIB, " nh") && has_flag(at + 2 * MIB, " hg"));
	CHECK_EQ(mp_unmap(at, 4 * MIB), 0);
	finish();
}

TEST(attributes_need, "pages that are not needed read as zero, whatever may be done with them; their neighbours stay")
{
	char *at;

	start(2);
	at = map(4 * MIB, 0);
	write_pattern(at, 4 * MIB, 3);
	CHECK_EQ(mp_map_protect(at + MIB, PAGE, PROT_READ), 0);
	CHECK_EQ(mp_map_advise(at + MIB, 3 * PAGE, MADV_DONTNEED), 0);
	CHECK_EQ(mp_map_advise(at + 2 * MIB + PAGE, PAGE, is_anonymous() ? MADV_DONTNEED : MADV_FREE), 0);
	for (int i = 0; i < 2; i++) {
		CHECK(is_zero(at + MIB, 3 * PAGE) && is_zero(at + 2 * MIB + PAGE, PAGE));
		CHECK_EQ(wrong(at, MIB, 3), 0);
		CHECK_EQ(wrong(at + MIB + 3 * PAGE, MIB - 2 * PAGE, 3 + (MIB + 3 * PAGE) * 0x9e3779b97f4a7c15u), 0);
		move_about(1);
	}
	CHECK_EQ(mp_unmap(at, 4 * MIB), 0);
	finish();
}

/* ---- fork, other addresses, nonsense ---- */

static int in_child(char *at)
{
	return (may_write(at) && !may_read(at + MIB) && !may_write(at + MIB + PAGE) ? 0 : 1) |
	       (!may_read(at + MIB + 4 * PAGE) && may_write(at + MIB + 5 * PAGE) ? 0 : 2) |
	       (wrong(at, MIB, 7) ? 4 : 0) | (has_flag(at + 3 * MIB, " dd") ? 0 : 8);
}

TEST(attributes_fork, "a fork child and its parent have what was set, also when the child is gone and all has moved")
{
	int status = -1;
	char *at;
	pid_t pid;

	start(2);
	at = map(4 * MIB, MP_MAP_FORK);
	write_pattern(at, 4 * MIB, 7);
	CHECK_EQ(mp_map_protect(at + MIB, PAGE, PROT_NONE), 0);
	CHECK_EQ(mp_map_protect(at + MIB + PAGE, PAGE, PROT_READ), 0);
	CHECK_EQ(mp_map_advise(at + MIB + 4 * PAGE, PAGE, MADV_DONTFORK), 0);
	CHECK_EQ(mp_map_advise(at + 3 * MIB, PAGE, MADV_DONTDUMP), 0);
	pid = fork();
	if (!pid) {
		file = -1;
		_exit(in_child(at));
	}
	/* Private by now: the page that is hidden has news in it when it becomes shared again. */
	CHECK_EQ(mp_map_protect(at + MIB, PAGE, PROT_READ | PROT_WRITE), 0);
	at[MIB] ^= 1;
	at[MIB + 4 * PAGE] ^= 1;
	CHECK_EQ(mp_map_protect(at + MIB, PAGE, PROT_NONE), 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	for (int i = 0; i < 3; i++) {
		CHECK(may_write(at) && !may_read(at + MIB) && may_read(at + MIB + PAGE) && !may_write(at + MIB + PAGE));
		CHECK(may_write(at + MIB + 4 * PAGE) && has_flag(at + 3 * MIB, " dd"));
		move_about(1);
	}
	CHECK_EQ(mp_map_protect(at + MIB, 2 * PAGE, PROT_READ | PROT_WRITE), 0);
	at[MIB] ^= 1;
	at[MIB + 4 * PAGE] ^= 1;
	CHECK_EQ(wrong(at, 4 * MIB, 7), 0);
	CHECK_EQ(mp_map_advise(at + MIB + 4 * PAGE, PAGE, MADV_DOFORK), 0);
	pid = fork();
	if (!pid) {
		file = -1;
		_exit(!may_write(at + MIB + 4 * PAGE));
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	CHECK_EQ(mp_unmap(at, 4 * MIB), 0);
	finish();
}

TEST(attributes_remap, "they go along when a range moves to other addresses, and nobody inherits them")
{
	void *at, *other;
	char *now;

	start(2);
	at = map(2 * MIB, 0);
	CHECK_EQ(mp_map_protect((char *)at + MIB, PAGE, PROT_NONE), 0);
	CHECK_EQ(mp_map_advise(at, PAGE, MADV_DONTDUMP), 0);
	other = mmap((char *)at + 2 * MIB, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(other != MAP_FAILED);
	now = at;
	CHECK_EQ(mp_remap((void **)&now, 2 * MIB, 4 * MIB, MP_REMAP_MAYMOVE), 0);
	CHECK(now != at);
	for (int i = 0; i < 2; i++) {
		CHECK(!may_read(now + MIB) && may_write(now + MIB + PAGE) && may_write(now + 3 * MIB));
		CHECK(has_flag(now, " dd") && !has_flag(now + PAGE, " dd"));
		move_about(1);
	}
	CHECK_EQ(munmap(other, PAGE), 0);
	CHECK_EQ(mp_unmap_reserve(now, 4 * MIB), 0);
	CHECK_EQ(mp_map((void **)&now, 4 * MIB, 1, MP_MAP_FIXED), 0);
	move_about(1);
	CHECK(may_write(now + MIB) && !has_flag(now, " dd"));
	CHECK_EQ(mp_unmap(now, 4 * MIB), 0);
	finish();
}

TEST(attributes_pinned, "pinned pages can be protected; nonsense is refused and changes nothing")
{
	char *at;

	start(2);
	at = map(2 * MIB, 0);
	CHECK_EQ(mp_pin(at, PAGE), 0);
	CHECK_EQ(mp_map_protect(at, PAGE, PROT_READ), 0);
	CHECK(!may_write(at));
	CHECK_EQ(mp_map_protect(at, PAGE, PROT_READ | PROT_WRITE), 0);
	CHECK_EQ(mp_unpin(at, PAGE), 0);
	CHECK_EQ(mp_map_protect(at + 1, PAGE, PROT_NONE), -EINVAL);
	CHECK_EQ(mp_map_protect(at, PAGE, 64), -EINVAL);
	CHECK_EQ(mp_map_protect(at, 0, PROT_NONE), -EINVAL);
	CHECK_EQ(mp_map_protect(at, SIZE_MAX, PROT_NONE), -EINVAL);
	CHECK_EQ(mp_map_protect(at, 2 * MIB + 1, PROT_NONE), -EINVAL);
	CHECK_EQ(mp_map_protect(NULL, PAGE, PROT_NONE), -EINVAL);
	CHECK_EQ(mp_map_advise(at, 2 * MIB + 1, MADV_DONTNEED), -EINVAL);
	CHECK_EQ(mp_map_advise(at, PAGE, 12345), -EINVAL);
	CHECK_EQ(mp_map_advise(at, PAGE, MADV_REMOVE), -EINVAL);
	/* A child would share it with its parent. */
	CHECK_EQ(mp_map_advise(at, PAGE, MADV_DOFORK), -EINVAL);
	CHECK_EQ(mp_map_advise(at, PAGE, MADV_DONTFORK), 0);
	CHECK(may_write(at) && may_write(at + 2 * MIB - PAGE));
	CHECK_EQ(mp_unmap(at, 2 * MIB), 0);
	finish();
	CHECK_EQ(mp_map_protect(at, PAGE, PROT_NONE), -ENXIO);
}
