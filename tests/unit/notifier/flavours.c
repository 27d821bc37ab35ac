/* SPDX-License-Identifier: MIT */
/* How changes and calls of the blocking, atomic, raw and srcu chains keep out of each other's way. */
#include "recorder.h"

static BLOCKING_NOTIFIER_HEAD(blocking);
static ATOMIC_NOTIFIER_HEAD(atomic);
static struct srcu_notifier_head srcu;

/* The one kind of chain a test works on, so that one worker function serves all. */
static struct {
	int (*add)(struct notifier_block *nb);
	int (*remove)(struct notifier_block *nb);
	int (*call)(void);
} *flavour;

/* No tail calls, for their return addresses are named in reports. */
#define RETURN(call)                                                                               \
	do {                                                                                       \
		int result = call;                                                                 \
		__asm__ volatile("" : "+r"(result));                                               \
		return result;                                                                     \
	} while (0)

#define FLAVOUR(kind)                                                                              \
	static int kind##_add(struct notifier_block *nb)                                           \
	{                                                                                          \
		RETURN(kind##_notifier_chain_register(&kind, nb));                                 \
	}                                                                                          \
	static int kind##_remove(struct notifier_block *nb)                                        \
	{                                                                                          \
		RETURN(kind##_notifier_chain_unregister(&kind, nb));                               \
	}                                                                                          \
	static int kind##_call(void)                                                               \
	{                                                                                          \
		RETURN(kind##_notifier_call_chain(&kind, 1, NULL));                                \
	}                                                                                          \
	static __typeof__(*flavour) kind##_flavour = { kind##_add, kind##_remove, kind##_call }

FLAVOUR(blocking);
FLAVOUR(atomic);
FLAVOUR(srcu);

static void use_srcu(void)
{
	flavour = (void *)&srcu_flavour;
	CHECK_EQ(srcu_init_notifier_head(&srcu), 0);
}

static long add(void *nb)
{
	return flavour->add(nb);
}

static long remove_block(void *nb)
{
	return flavour->remove(nb);
}

static long call(void *unused)
{
	return flavour->call();
}

/* A callback that stays until it is let go. */
static sem_t inside, let_go;
static int running;

static void stay(struct recorder *me, unsigned long action, void *data)
{
	__atomic_store_n(&running, 1, __ATOMIC_SEQ_CST);
	sem_post(&inside);
	while (sem_wait(&let_go))
		;
	__atomic_store_n(&running, 0, __ATOMIC_SEQ_CST);
}

static struct recorder staying = { .nb = { .notifier_call = record }, .name = "staying",
				   .hook = stay };

static void start_staying_call(struct worker *caller)
{
	sem_init(&inside, 0, 0);
	sem_init(&let_go, 0, 0);
	CHECK_EQ(flavour->add(&staying.nb), 0);
	worker_start(caller, call, NULL);
	sem_wait(&inside);
}

/* Unregistering waits for a running callback, which is not called again. */
static void check_unregister_waits(void)
{
	struct worker caller, remover;

	start_staying_call(&caller);
	worker_start(&remover, remove_block, &staying.nb);
	worker_await_sleep(&remover);
	CHECK(!worker_done(&remover));
	CHECK_EQ(__atomic_load_n(&running, __ATOMIC_SEQ_CST), 1);
	sem_post(&let_go);
	CHECK_EQ(worker_join(&remover), 0);
	CHECK_EQ(__atomic_load_n(&running, __ATOMIC_SEQ_CST), 0);
	worker_join(&caller);
	CHECK_EQ(flavour->call(), NOTIFY_DONE);
	CHECK_EQ(staying.calls, 1);
}

TEST(NOTIFY_14, "a blocking chain's changes wait for its calls, its calls run side by side")
{
	struct recorder other = RECORDER("other", -1);
	struct worker caller, adder, second;

	flavour = (void *)&blocking_flavour;
	start_staying_call(&caller);
	/* A second call enters beside the first ... */
	worker_start(&second, call, NULL);
	sem_wait(&inside);
	/* ... a change does not, and neither call hears of it. */
	worker_start(&adder, add, &other.nb);
	worker_await_sleep(&adder);
	CHECK(!worker_done(&adder));
	sem_post(&let_go);
	sem_post(&let_go);
	CHECK_EQ(worker_join(&adder), 0);
	worker_join(&caller);
	worker_join(&second);
	CHECK_STR(heard(), "staying:1 staying:1");
	staying.hook = NULL;
	flavour->call();
	CHECK_STR(heard(), "staying:1 other:1");
}

TEST(NOTIFY_15, "when unregistering returned, the callback runs nowhere: blocking chain")
{
	flavour = (void *)&blocking_flavour;
	check_unregister_waits();
}

static BLOCKING_NOTIFIER_HEAD(early_chain);
static struct recorder early = RECORDER("early", 0);
static int early_result = 1;

__attribute__((constructor(110))) static void register_early(void)
{
	early_result = blocking_notifier_chain_register(&early_chain, &early.nb);
}

TEST(NOTIFY_16, "registration works before anything is booted")
{
	struct recorder late = RECORDER("late", 0);

	CHECK_EQ(early_result, 0);
	CHECK_EQ(blocking_notifier_chain_register(&early_chain, &late.nb), 0);
	blocking_notifier_call_chain(&early_chain, 1, NULL);
	CHECK_STR(heard(), "early:1 late:1");
	CHECK_EQ(blocking_notifier_chain_unregister(&early_chain, &early.nb), 0);
}

static BLOCKING_NOTIFIER_HEAD(quiet);

static long call_quiet(void *unused)
{
	return blocking_notifier_call_chain(&quiet, 1, NULL);
}

TEST(NOTIFY_17, "calling an empty chain takes no lock; the list is read again under the lock")
{
	struct recorder a = RECORDER("a", 0);
	struct worker caller;

	down_write(&quiet.rwsem);
	CHECK_EQ(blocking_notifier_call_chain(&quiet, 1, NULL), NOTIFY_DONE);
	worker_start(&caller, call_quiet, NULL);
	CHECK_EQ(worker_join(&caller), NOTIFY_DONE);
	up_write(&quiet.rwsem);

	a.answer = NOTIFY_OK;
	CHECK_EQ(blocking_notifier_chain_register(&quiet, &a.nb), 0);
	down_write(&quiet.rwsem);
	worker_start(&caller, call_quiet, NULL);
	worker_await_sleep(&caller);
	WRITE_ONCE(quiet.head, NULL);
	up_write(&quiet.rwsem);
	CHECK_EQ(worker_join(&caller), NOTIFY_DONE);
	CHECK_EQ(a.calls, 0);
}

static struct worker late_adder;
static struct recorder late = RECORDER("late", -5);

static void start_late_adder(struct recorder *me, unsigned long action, void *data)
{
	if (action != 1)
		return;
	worker_start(&late_adder, add, &late.nb);
	worker_await_sleep(&late_adder);
}

static void late_adder_still_waits(struct recorder *me, unsigned long action, void *data)
{
	if (action == 2)
		CHECK(!worker_done(&late_adder));
}

TEST(NOTIFY_23, "both passes of the blocking robust call see one list")
{
	struct recorder a = RECORDER("a", 9), b = RECORDER("b", 8);

	flavour = (void *)&blocking_flavour;
	a.hook = late_adder_still_waits;
	b.hook = start_late_adder;
	b.answer = NOTIFY_BAD;
	flavour->add(&a.nb);
	flavour->add(&b.nb);
	CHECK_EQ(blocking_notifier_call_chain_robust(&blocking, 1, 2, NULL), NOTIFY_BAD);
	CHECK_STR(heard(), "a:1 b:1 a:2");
	CHECK_EQ(worker_join(&late_adder), 0);
	CHECK_EQ(late.calls, 0);
	/* An empty chain has nothing to take back. */
	CHECK_EQ(blocking_notifier_call_chain_robust(&quiet, 1, 2, NULL), NOTIFY_DONE);
}

TEST(NOTIFY_41, "atomic chain: calls take no lock, unregistering waits for them")
{
	struct recorder a = RECORDER("a", 1), b = RECORDER("b", 2);

	CHECK(atomic_notifier_call_chain_is_empty(&atomic));
	CHECK_EQ(atomic_notifier_call_chain(&atomic, 1, NULL), NOTIFY_DONE);
	CHECK_EQ(atomic_notifier_chain_register(&atomic, &a.nb), 0);
	CHECK(!atomic_notifier_call_chain_is_empty(&atomic));
	CHECK_EQ(atomic_notifier_chain_register(&atomic, &b.nb), 0);
	/* Whoever changes the list does not hold up a call. */
	mutex_lock(&atomic.lock);
	atomic_notifier_call_chain(&atomic, 1, NULL);
	mutex_unlock(&atomic.lock);
	CHECK_STR(heard(), "b:1 a:1");
	CHECK_EQ(atomic_notifier_chain_unregister(&atomic, &a.nb), 0);
	CHECK_EQ(atomic_notifier_chain_unregister(&atomic, &a.nb), -ENOENT);
	CHECK_EQ(atomic_notifier_chain_unregister(&atomic, &b.nb), 0);
	CHECK(atomic_notifier_call_chain_is_empty(&atomic));

	flavour = (void *)&atomic_flavour;
	check_unregister_waits();
}

TEST(NOTIFY_41, "srcu chain: calls take no lock, unregistering waits for them")
{
	struct recorder a = RECORDER("a", 1), b = RECORDER("b", 2);

	use_srcu();
	CHECK_EQ(srcu_notifier_call_chain(&srcu, 1, NULL), NOTIFY_DONE);
	CHECK_EQ(srcu_notifier_chain_register(&srcu, &a.nb), 0);
	CHECK_EQ(srcu_notifier_chain_register(&srcu, &b.nb), 0);
	mutex_lock(&srcu.mutex);
	srcu_notifier_call_chain(&srcu, 1, NULL);
	mutex_unlock(&srcu.mutex);
	CHECK_STR(heard(), "b:1 a:1");
	CHECK_EQ(srcu_notifier_chain_unregister(&srcu, &a.nb), 0);
	CHECK_EQ(srcu_notifier_chain_unregister(&srcu, &a.nb), -ENOENT);
	CHECK_EQ(srcu_notifier_chain_unregister(&srcu, &b.nb), 0);
	check_unregister_waits();
	srcu_cleanup_notifier_head(&srcu);
	allow_warnings();
	CHECK_EQ(srcu_notifier_chain_register(&srcu, &a.nb), -EINVAL);
	CHECK_EQ(warnings(), 1);
}

static struct worker adder_beside;

static void register_beside(struct recorder *me, unsigned long action, void *data)
{
	worker_start(&adder_beside, add, &late.nb);
	CHECK_EQ(worker_join(&adder_beside), 0);
}

TEST(NOTIFY_41, "raw chain: no lock at all; atomic and srcu chains grow beside a call")
{
	struct recorder a = RECORDER("a", 1);
	static RAW_NOTIFIER_HEAD(raw);
	struct recorder b = RECORDER("b", 1);

	CHECK_EQ(sizeof(raw), sizeof(void *));
	CHECK_EQ(raw_notifier_chain_register(&raw, &b.nb), 0);
	raw_notifier_call_chain(&raw, 7, NULL);
	CHECK_STR(heard(), "b:7");

	a.hook = register_beside;
	use_srcu();
	CHECK_EQ(flavour->add(&a.nb), 0);
	flavour->call();
	CHECK_EQ(flavour->remove(&late.nb), 0);
	CHECK_EQ(flavour->remove(&a.nb), 0);
	flavour = (void *)&atomic_flavour;
	CHECK_EQ(flavour->add(&a.nb), 0);
	flavour->call();
	CHECK_EQ(flavour->remove(&late.nb), 0);
	CHECK_EQ(flavour->remove(&a.nb), 0);
}

static int result_inside;

static void unregister_itself(struct recorder *me, unsigned long action, void *data)
{
	result_inside = flavour->remove(&me->nb);
}

static void register_another(struct recorder *me, unsigned long action, void *data)
{
	result_inside = flavour->add(&late.nb);
}

/* Fatal with both call sites; when the hook returns, -EDEADLK and nothing has changed. */
static void check_forbidden_inside(void (*hook)(struct recorder *me, unsigned long action, void *data),
				   const char *call_site, const char *traversal_site)
{
	struct recorder a = RECORDER("a", 1);
	int fatals_before = fatals();

	allow_fatal();
	a.hook = hook;
	CHECK_EQ(flavour->add(&a.nb), 0);
	flavour->call();
	CHECK_EQ(result_inside, -EDEADLK);
	CHECK_EQ(fatals(), fatals_before + 1);
	CHECK(strstr(fatal_text(), call_site));
	CHECK(strstr(fatal_text(), traversal_site));
	a.hook = NULL;
	a.calls = 0;
	flavour->call();
	CHECK_EQ(a.calls, 1);
	CHECK_EQ(flavour->remove(&a.nb), 0);
}

TEST(NOTIFY_42, "a callback may not unregister from its own chain")
{
	flavour = (void *)&blocking_flavour;
	check_forbidden_inside(unregister_itself, "blocking_remove", "blocking_call");
	check_forbidden_inside(register_another, "blocking_add", "blocking_call");
	flavour = (void *)&atomic_flavour;
	check_forbidden_inside(unregister_itself, "atomic_remove", "atomic_call");
	use_srcu();
	check_forbidden_inside(unregister_itself, "srcu_remove", "srcu_call");
}

static struct recorder *elsewhere;

static void unregister_elsewhere(struct recorder *me, unsigned long action, void *data)
{
	result_inside = blocking_notifier_chain_unregister(&quiet, &elsewhere->nb);
}

TEST(another_chain, "a callback may change another chain")
{
	struct recorder a = RECORDER("a", 1), b = RECORDER("b", 1);

	flavour = (void *)&atomic_flavour;
	elsewhere = &b;
	a.hook = unregister_elsewhere;
	CHECK_EQ(blocking_notifier_chain_register(&quiet, &b.nb), 0);
	CHECK_EQ(flavour->add(&a.nb), 0);
	flavour->call();
	CHECK_EQ(result_inside, 0);
	CHECK_EQ(fatals(), 0);
}

/* Many threads call and change at once; a callback never runs after its unregistration returned. */
static int stop_churn;
static long registered[4];

static int must_be_registered(struct notifier_block *nb, unsigned long action, void *data)
{
	CHECK(__atomic_load_n(&registered[nb->priority], __ATOMIC_SEQ_CST));
	return NOTIFY_OK;
}

static long churn(void *index)
{
	struct notifier_block *nb = calloc(1, sizeof(*nb));

	nb->notifier_call = must_be_registered;
	nb->priority = (int)(long)index;
	for (int i = 0; i < 300; i++) {
		__atomic_store_n(&registered[nb->priority], 1, __ATOMIC_SEQ_CST);
		CHECK_EQ(flavour->add(nb), 0);
		CHECK_EQ(flavour->remove(nb), 0);
		__atomic_store_n(&registered[nb->priority], 0, __ATOMIC_SEQ_CST);
	}
	free(nb);
	return 0;
}

static long keep_calling(void *unused)
{
	while (!__atomic_load_n(&stop_churn, __ATOMIC_SEQ_CST))
		flavour->call();
	return 0;
}

static void check_churn(void)
{
	struct worker callers[2], changers[2];

	stop_churn = 0;
	for (long i = 0; i < 2; i++) {
		worker_start(&callers[i], keep_calling, NULL);
		worker_start(&changers[i], churn, (void *)i);
	}
	for (int i = 0; i < 2; i++)
		worker_join(&changers[i]);
	__atomic_store_n(&stop_churn, 1, __ATOMIC_SEQ_CST);
	for (int i = 0; i < 2; i++)
		worker_join(&callers[i]);
}

TEST(NOTIFY_15, "no callback runs after its unregistration, under calls and changes by many")
{
	flavour = (void *)&blocking_flavour;
	check_churn();
	flavour = (void *)&atomic_flavour;
	check_churn();
	use_srcu();
	check_churn();
}
