/* SPDX-License-Identifier: MIT */
/* The list of callbacks, its order, its traversal and the decoding of answers, on raw chains. */
#include "recorder.h"

#include <linux/notifier.h>

static RAW_NOTIFIER_HEAD(chain);

static int enter(struct recorder *me)
{
	return raw_notifier_chain_register(&chain, &me->nb);
}

static int leave(struct recorder *me)
{
	return raw_notifier_chain_unregister(&chain, &me->nb);
}

static int call(unsigned long val)
{
	return raw_notifier_call_chain(&chain, val, NULL);
}

TEST(NOTIFY_1, "a block has three members and stays the caller's")
{
	static struct recorder a = RECORDER("a", -7);
	struct notifier_block before;

	CHECK_EQ(sizeof(struct notifier_block), 3 * sizeof(void *));
	CHECK_EQ(offsetof(struct notifier_block, notifier_call), 0);
	CHECK_EQ(offsetof(struct notifier_block, next), sizeof(void *));
	CHECK_EQ(offsetof(struct notifier_block, priority), 2 * sizeof(void *));
	CHECK((__typeof__(a.nb.priority))-1 < 0);
	CHECK_EQ(enter(&a), 0);
	/* Neither copied nor changed: the caller's own block is on the list. */
	CHECK_EQ(chain.head, &a.nb);
	before = a.nb;
	call(1);
	CHECK_EQ(memcmp(&before, &a.nb, sizeof(before)), 0);
	CHECK_EQ(leave(&a), 0);
	CHECK_EQ(a.nb.notifier_call, record);
	CHECK_EQ(a.nb.priority, -7);
}

static struct notifier_block *seen_nb;
static unsigned long seen_action;
static void *seen_data;

static int remember(struct notifier_block *nb, unsigned long action, void *data)
{
	seen_nb = nb;
	seen_action = action;
	seen_data = data;
	return NOTIFY_OK;
}

TEST(NOTIFY_2, "a callback gets its own block, the action and the data")
{
	struct {
		int before;
		struct notifier_block nb;
	} owner = { 42, { .notifier_call = remember } };
	int data;

	CHECK_EQ(raw_notifier_chain_register(&chain, &owner.nb), 0);
	CHECK_EQ(raw_notifier_call_chain(&chain, ~0UL, &data), NOTIFY_OK);
	CHECK_EQ(seen_nb, &owner.nb);
	CHECK_EQ(container_of(seen_nb, __typeof__(owner), nb)->before, 42);
	CHECK_EQ(seen_action, ~0UL);
	CHECK_EQ(seen_data, (void *)&data);
}

TEST(NOTIFY_3, "the answers have their numbers")
{
	CHECK_EQ(NOTIFY_DONE, 0x0000);
	CHECK_EQ(NOTIFY_OK, 0x0001);
	CHECK_EQ(NOTIFY_STOP_MASK, 0x8000);
	CHECK_EQ(NOTIFY_BAD, 0x8002);
	CHECK_EQ(NOTIFY_STOP, 0x8001);
}

TEST(NOTIFY_4, "larger priorities come first, compared as signed numbers, whatever the action")
{
	struct recorder low = RECORDER("low", -2147483647 - 1), minus = RECORDER("minus", -1);
	struct recorder zero = RECORDER("zero", 0), high = RECORDER("high", 2147483647);

	enter(&zero);
	enter(&high);
	enter(&low);
	enter(&minus);
	call(MEM_GOING_ONLINE);
	CHECK_STR(heard(), "high:8 zero:8 minus:8 low:8");
	call(MEM_OFFLINE);
	CHECK_STR(heard(), "high:4 zero:4 minus:4 low:4");
}

TEST(NOTIFY_5, "equal priorities are called in order of registration")
{
	struct recorder a = RECORDER("a", 5), b = RECORDER("b", 5), c = RECORDER("c", 5);
	struct recorder first = RECORDER("first", 6), last = RECORDER("last", 4);

	enter(&b);
	enter(&last);
	enter(&a);
	enter(&first);
	enter(&c);
	call(1);
	CHECK_STR(heard(), "first:1 b:1 a:1 c:1 last:1");
	/* One that comes again comes last among its equals. */
	leave(&b);
	enter(&b);
	call(2);
	CHECK_STR(heard(), "first:2 a:2 c:2 b:2 last:2");
}

static int told_twice(struct notifier_block *nb, unsigned long action, void *data)
{
	note("told", "twice");
	return NOTIFY_DONE;
}

TEST(NOTIFY_6, "a block that is registered already is refused, with a warning each time")
{
	struct recorder other = RECORDER("other", 1);
	struct notifier_block nb = { .notifier_call = told_twice };

	allow_warnings();
	enter(&other);
	CHECK_EQ(raw_notifier_chain_register(&chain, &nb), 0);
	CHECK_EQ(raw_notifier_chain_register(&chain, &nb), -EEXIST);
	CHECK_EQ(warnings(), 1);
	CHECK(strstr(warning_text(), "notifier callback told_twice already registered"));
	CHECK_EQ(raw_notifier_chain_register(&chain, &nb), -EEXIST);
	CHECK_EQ(warnings(), 2);
	CHECK_EQ(mp_warn_count(), 2);
	call(3);
	CHECK_STR(heard(), "other:3 told:twice");
	CHECK_EQ(raw_notifier_chain_unregister(&chain, &nb), 0);
	CHECK_EQ(raw_notifier_chain_unregister(&chain, &nb), -ENOENT);
}

TEST(NOTIFY_7, "two blocks with one function are two callbacks")
{
	struct recorder a = RECORDER("a", 0), b = RECORDER("b", 0);

	CHECK_EQ(a.nb.notifier_call, b.nb.notifier_call);
	CHECK_EQ(enter(&a), 0);
	CHECK_EQ(enter(&b), 0);
	call(1);
	CHECK_STR(heard(), "a:1 b:1");
}

TEST(NOTIFY_8, "a block whose priority was raised meanwhile is still known")
{
	struct recorder a = RECORDER("a", 1), b = RECORDER("b", 5);

	allow_warnings();
	enter(&a);
	enter(&b);
	a.nb.priority = 100;
	CHECK_EQ(enter(&a), -EEXIST);
	CHECK_EQ(warnings(), 1);
	call(1);
	CHECK_STR(heard(), "b:1 a:1");
}

TEST(NOTIFY_9, "the unique forms refuse a priority that is taken, after the identity test")
{
	static BLOCKING_NOTIFIER_HEAD(blocking);
	static ATOMIC_NOTIFIER_HEAD(atomic);
	struct recorder a = RECORDER("a", 5), b = RECORDER("b", 5), c = RECORDER("c", 4);
	struct recorder d = RECORDER("d", 5), e = RECORDER("e", 5), f = RECORDER("f", 4);

	CHECK_EQ(blocking_notifier_chain_register_unique_prio(&blocking, &a.nb), 0);
	CHECK_EQ(blocking_notifier_chain_register_unique_prio(&blocking, &b.nb), -EBUSY);
	CHECK_EQ(blocking_notifier_chain_register_unique_prio(&blocking, &c.nb), 0);
	CHECK_EQ(warnings(), 0);
	blocking_notifier_call_chain(&blocking, 1, NULL);
	CHECK_STR(heard(), "a:1 c:1");
	/* The ordinary form takes an equal, and the unique one then still knows the block itself. */
	CHECK_EQ(blocking_notifier_chain_register(&blocking, &b.nb), 0);
	allow_warnings();
	CHECK_EQ(blocking_notifier_chain_register_unique_prio(&blocking, &a.nb), -EEXIST);
	CHECK_EQ(warnings(), 1);

	CHECK_EQ(atomic_notifier_chain_register_unique_prio(&atomic, &d.nb), 0);
	CHECK_EQ(atomic_notifier_chain_register_unique_prio(&atomic, &e.nb), -EBUSY);
	CHECK_EQ(atomic_notifier_chain_register_unique_prio(&atomic, &f.nb), 0);
	CHECK_EQ(atomic_notifier_chain_register_unique_prio(&atomic, &d.nb), -EEXIST);
	CHECK_EQ(warnings(), 2);
}

TEST(NOTIFY_10, "unregistering finds the block or says so, and leaves its link alone")
{
	struct recorder a = RECORDER("a", 3), b = RECORDER("b", 2), c = RECORDER("c", 1);

	CHECK_EQ(leave(&a), -ENOENT);
	enter(&a);
	enter(&b);
	enter(&c);
	CHECK_EQ(leave(&b), 0);
	CHECK_EQ(b.nb.next, &c.nb);
	CHECK_EQ(a.nb.next, &c.nb);
	CHECK_EQ(leave(&b), -ENOENT);
	call(1);
	CHECK_STR(heard(), "a:1 c:1");
	CHECK_EQ(enter(&b), 0);
	CHECK_EQ(leave(&a), 0);
	call(2);
	CHECK_STR(heard(), "b:2 c:2");
}

static struct recorder *victim;

static void unregister_victim(struct recorder *me, unsigned long action, void *data)
{
	leave(victim);
}

TEST(NOTIFY_18, "the successor is read before the call; the stop bit ends the traversal")
{
	struct recorder a = RECORDER("a", 3), b = RECORDER("b", 2), c = RECORDER("c", 1);
	int calls = 0;

	enter(&a);
	enter(&b);
	enter(&c);
	/* The successor that a callback unregisters on a raw chain has been read already. */
	a.hook = unregister_victim;
	victim = &b;
	call(1);
	CHECK_STR(heard(), "a:1 b:1 c:1");
	call(2);
	CHECK_STR(heard(), "a:2 c:2");
	/* So has the successor of a callback that unregisters itself. */
	victim = &a;
	call(3);
	CHECK_STR(heard(), "a:3 c:3");
	a.hook = NULL;
	enter(&a);
	enter(&b);
	b.answer = NOTIFY_STOP_MASK;
	CHECK_EQ(mp_notifier_call_chain(&chain.head, 4, NULL, -1, &calls), NOTIFY_STOP_MASK);
	CHECK_STR(heard(), "a:4 b:4");
	CHECK_EQ(calls, 2);
}

TEST(NOTIFY_19, "the result is the last answer, unmodified")
{
	struct recorder a = RECORDER("a", 3), b = RECORDER("b", 2);

	CHECK_EQ(call(1), NOTIFY_DONE);
	enter(&a);
	enter(&b);
	a.answer = 0x7abc;
	b.answer = NOTIFY_DONE;
	CHECK_EQ(call(1), NOTIFY_DONE);
	a.answer = NOTIFY_OK;
	b.answer = 0x1234;
	CHECK_EQ(call(1), 0x1234);
	a.answer = NOTIFY_BAD;
	CHECK_EQ(call(1), NOTIFY_BAD);
}

TEST(NOTIFY_20, "at most nr_to_call callbacks are called, -1 means all")
{
	struct recorder a = RECORDER("a", 3), b = RECORDER("b", 2), c = RECORDER("c", 1);

	a.answer = 11;
	b.answer = 12;
	c.answer = 13;
	enter(&a);
	enter(&b);
	enter(&c);
	CHECK_EQ(mp_notifier_call_chain(&chain.head, 0, NULL, 0, NULL), NOTIFY_DONE);
	CHECK_STR(heard(), "");
	CHECK_EQ(mp_notifier_call_chain(&chain.head, 1, NULL, 1, NULL), 11);
	CHECK_STR(heard(), "a:1");
	CHECK_EQ(mp_notifier_call_chain(&chain.head, 2, NULL, 2, NULL), 12);
	CHECK_STR(heard(), "a:2 b:2");
	CHECK_EQ(mp_notifier_call_chain(&chain.head, 9, NULL, 9, NULL), 13);
	CHECK_STR(heard(), "a:9 b:9 c:9");
	CHECK_EQ(mp_notifier_call_chain(&chain.head, 5, NULL, -1, NULL), 13);
	CHECK_STR(heard(), "a:5 b:5 c:5");
}

TEST(NOTIFY_21, "nr_calls counts those invoked, the stopper too, on top of what it was")
{
	struct recorder a = RECORDER("a", 3), b = RECORDER("b", 2), c = RECORDER("c", 1);
	int calls = 100;

	enter(&a);
	enter(&b);
	enter(&c);
	mp_notifier_call_chain(&chain.head, 1, NULL, -1, &calls);
	CHECK_EQ(calls, 103);
	b.answer = NOTIFY_STOP;
	mp_notifier_call_chain(&chain.head, 1, NULL, -1, &calls);
	CHECK_EQ(calls, 105);
	mp_notifier_call_chain(&chain.head, 1, NULL, 0, &calls);
	CHECK_EQ(calls, 105);
}

TEST(NOTIFY_22, "the robust call takes back what it did before the stop")
{
	struct recorder a = RECORDER("a", 3), b = RECORDER("b", 2), c = RECORDER("c", 1);

	a.answer = NOTIFY_OK;
	enter(&a);
	enter(&b);
	enter(&c);
	CHECK_EQ(raw_notifier_call_chain_robust(&chain, 1, 2, NULL), NOTIFY_DONE);
	CHECK_STR(heard(), "a:1 b:1 c:1");
	c.answer = notifier_from_errno(-ENOMEM);
	CHECK_EQ(raw_notifier_call_chain_robust(&chain, 1, 2, NULL), c.answer);
	CHECK_STR(heard(), "a:1 b:1 c:1 a:2 b:2");
	/* A plain stop, too. */
	b.answer = NOTIFY_STOP;
	CHECK_EQ(raw_notifier_call_chain_robust(&chain, 1, 2, NULL), NOTIFY_STOP);
	CHECK_STR(heard(), "a:1 b:1 a:2");
	/* The first one stops: nobody is left to tell. */
	a.answer = NOTIFY_BAD;
	CHECK_EQ(raw_notifier_call_chain_robust(&chain, 1, 2, NULL), NOTIFY_BAD);
	CHECK_STR(heard(), "a:1");
}

TEST(NOTIFY_26, "an errno becomes an answer that stops, 0 becomes OK")
{
	CHECK_EQ(notifier_from_errno(0), NOTIFY_OK);
	CHECK_EQ(notifier_from_errno(-1), 0x8002);
	CHECK_EQ(notifier_from_errno(-EPERM), NOTIFY_BAD);
	CHECK_EQ(notifier_from_errno(-12), 0x800d);
	CHECK_EQ(notifier_from_errno(-16), 0x8011);
}

TEST(NOTIFY_27, "an answer gives its errno back")
{
	for (int error = 0; error >= -4095; error--)
		CHECK_EQ(notifier_to_errno(notifier_from_errno(error)), error);
	CHECK_EQ(notifier_to_errno(2), -1);
	CHECK_EQ(notifier_to_errno(0x8000), 0);
}

TEST(NOTIFY_28, "DONE, OK and STOP decode to success, BAD to -EPERM")
{
	CHECK_EQ(notifier_to_errno(NOTIFY_DONE), 0);
	CHECK_EQ(notifier_to_errno(NOTIFY_OK), 0);
	CHECK_EQ(notifier_to_errno(NOTIFY_STOP), 0);
	CHECK_EQ(notifier_to_errno(NOTIFY_BAD), -EPERM);
	CHECK_EQ(notifier_to_errno(0x800d), -ENOMEM);
}

TEST(NOTIFY_29, "a raw negative errno stops the chain but does not veto")
{
	static const int errors[] = { -1, -12, -16, -4095, -32768 };
	struct recorder a = RECORDER("a", 3), b = RECORDER("b", 2);

	enter(&a);
	enter(&b);
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		a.answer = errors[i];
		CHECK_EQ(call(1), errors[i]);
		CHECK_STR(heard(), "a:1");
		CHECK_EQ(notifier_to_errno(call(1)), 0);
		heard();
	}
}

TEST(NOTIFY_30, "a value above 1 without the stop bit is an error only from the last callback")
{
	struct recorder a = RECORDER("a", 3), b = RECORDER("b", 2);

	enter(&a);
	enter(&b);
	a.answer = 5;
	CHECK_EQ(notifier_to_errno(call(1)), 0);
	CHECK_STR(heard(), "a:1 b:1");
	b.answer = 5;
	CHECK_EQ(notifier_to_errno(call(1)), -EINTR);
}

TEST(raw_chain_arguments, "a block without a callback is refused")
{
	struct notifier_block nb = { 0 };

	CHECK_EQ(raw_notifier_chain_register(&chain, NULL), -EINVAL);
	CHECK_EQ(raw_notifier_chain_register(&chain, &nb), -EINVAL);
	CHECK_EQ(raw_notifier_chain_unregister(&chain, NULL), -ENOENT);
	CHECK_EQ(call(1), NOTIFY_DONE);
}
