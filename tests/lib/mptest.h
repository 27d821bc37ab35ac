/* SPDX-License-Identifier: MIT */
/*
 * A test is a function with the id of the rule it holds and a sentence that says so:
 *
 *	TEST(EVENT_7, "successful online sends GOING_ONLINE, then ONLINE")
 *	{
 *		CHECK_EQ(online(7), 0);
 *		CHECK_STR(log_text(), "GOING_ONLINE ONLINE");
 *	}
 *
 * Each one runs in a forked child of its own, since a process has one machine. It ends at its first
 * failing check, from whichever thread. One that checks nothing fails.
 */
#ifndef MPTEST_H
#define MPTEST_H

#include <stdbool.h>
#include <stdint.h>

/* id: the rule with '_' for '-', or any other identifier for a test of no numbered rule. */
#define TEST(id, title) MPTEST_DEFINE(#id, title, __COUNTER__)

/* The arguments of each check are evaluated once; a failure prints both values. */
#define CHECK(cond) mptest_check(!!(cond), __FILE__, __LINE__, #cond)
#define CHECK_EQ(a, b) MPTEST_COMPARE(a, b, "==")
#define CHECK_NE(a, b) MPTEST_COMPARE(a, b, "!=")
#define CHECK_LT(a, b) MPTEST_COMPARE(a, b, "<")
#define CHECK_LE(a, b) MPTEST_COMPARE(a, b, "<=")
#define CHECK_GT(a, b) MPTEST_COMPARE(a, b, ">")
#define CHECK_GE(a, b) MPTEST_COMPARE(a, b, ">=")
#define CHECK_STR(a, b) mptest_check_str((a), (b), __FILE__, __LINE__, #a, #b)

/* For what no check above says: FAIL("step %d: ...", i); SKIP says why the test cannot run here. */
#define FAIL(...) mptest_fail(__FILE__, __LINE__, __VA_ARGS__)
#define SKIP(...) mptest_skip(__VA_ARGS__)

/* The seed for random operations: MPTEST_SEED, else 1. Printed, so that a failure can be repeated. */
uint64_t mptest_seed(void);

struct mptest {
	const char *id, *title;
	void (*body)(void);
	struct mptest *next;
};

/* An integer or pointer of any type, so that -1 and 0xffffffff never compare equal. */
struct mptest_value {
	uint64_t bits;
	bool is_signed;
};

void mptest_register(struct mptest *test);
void mptest_check(bool holds, const char *file, int line, const char *text);
void mptest_compare(struct mptest_value a, struct mptest_value b, const char *operation,
		    const char *file, int line, const char *a_text, const char *b_text);
void mptest_check_str(const char *a, const char *b, const char *file, int line,
		      const char *a_text, const char *b_text);
void mptest_fail(const char *file, int line, const char *format, ...)
	__attribute__((noreturn, format(printf, 3, 4)));
void mptest_skip(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#define MPTEST_VALUE(x) ((struct mptest_value){ \
	.bits = (uint64_t)(x), \
	.is_signed = _Generic((x), char: (char)-1 < 0, signed char: 1, short: 1, int: 1, \
			      long: 1, long long: 1, default: 0) })
#define MPTEST_COMPARE(a, b, operation) \
	mptest_compare(MPTEST_VALUE(a), MPTEST_VALUE(b), operation, __FILE__, __LINE__, #a, #b)

#define MPTEST_PASTE(a, b) a##b
#define MPTEST_NAME(prefix, line) MPTEST_PASTE(prefix, line)
#define MPTEST_DEFINE(id, title, line) \
	static void MPTEST_NAME(mptest_body_, line)(void); \
	__attribute__((constructor)) static void MPTEST_NAME(mptest_add_, line)(void) \
	{ \
		static struct mptest test = { id, title, MPTEST_NAME(mptest_body_, line), 0 }; \
		mptest_register(&test); \
	} \
	static void MPTEST_NAME(mptest_body_, line)(void)

#endif
