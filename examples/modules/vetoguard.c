// SPDX-License-Identifier: MIT
/*
 * Keeps the memory that it works in online: whoever wants to take that away is refused with a veto.
 * The same file is a module of Linux 6.1 and a part of a program that links memplug.
 *
 * guard is written by init and exit only, while the callback is not registered.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/memory.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/notifier.h>

#define GUARD_ORDER 4

static struct {
	struct page *page;
	unsigned long first, last; /* pfns, both included */
} guard;

static int vetoguard(struct notifier_block *self, unsigned long action, void *arg)
{
	struct memory_notify *mem = arg;

	if (action != MEM_GOING_OFFLINE)
		return NOTIFY_DONE;
	if (guard.last < mem->start_pfn || guard.first >= mem->start_pfn + mem->nr_pages)
		return NOTIFY_DONE;
	pr_info("pages %#lx to %#lx stay\n", guard.first, guard.last);
	return NOTIFY_BAD;
}

/* Above most others, so that they are not asked in vain. */
static struct notifier_block vetoguard_nb = {
	.notifier_call = vetoguard,
	.priority = 100,
};

static int __init vetoguard_init(void)
{
	int ret;

	guard.page = alloc_pages(GFP_KERNEL | __GFP_ZERO, GUARD_ORDER);
	if (!guard.page)
		return -ENOMEM;
	guard.first = page_to_pfn(guard.page);
	guard.last = guard.first + (1UL << GUARD_ORDER) - 1;
	ret = register_memory_notifier(&vetoguard_nb);
	if (ret)
		__free_pages(guard.page, GUARD_ORDER);
	return ret;
}

static void __exit vetoguard_exit(void)
{
	unregister_memory_notifier(&vetoguard_nb);
	__free_pages(guard.page, GUARD_ORDER);
}

module_init(vetoguard_init);
module_exit(vetoguard_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Keeps the memory it works in online");
