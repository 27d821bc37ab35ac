/* SPDX-License-Identifier: MIT */
/* A page that is about to fail moves; another one fails, and its owner does without it. */
#include <stdio.h>
#include <string.h>

#include <linux/mm.h>
#include <linux/gfp.h>
#include <memplug/failure.h>
#include <memplug/memplug.h>

static struct page *mine;

static enum mp_failure_answer on_failure(const struct mp_failure *failure, void *arg)
{
	(void)arg;
	if (failure->page != mine)
		return MP_FAILURE_NOT_MINE;
	printf("my page 0x%lx failed; I read its contents again from elsewhere\n", failure->pfn);
	__free_page(mine);
	mine = NULL;
	return MP_FAILURE_HANDLED;
}

int main(void)
{
	struct mp_desc *desc = mp_desc_new();
	unsigned long pfn;
	char text[4096], *line;
	int error;

	if (!desc || mp_desc_parse(desc, "ram 0x100000 383M node 0\n", "failing_page") || mp_boot(desc)) {
		fprintf(stderr, "no machine: %s\n", desc ? mp_desc_error(desc) : "no memory");
		return 1;
	}
	mp_desc_free(desc);
	mp_failure_register(on_failure, NULL);

	mine = alloc_page(GFP_KERNEL);
	pfn = page_to_pfn(mine);
	error = soft_offline_page(pfn, 0);
	printf("soft_offline_page of a kernel page: %s\n", strerror(-error));
	error = memory_failure(pfn, MF_SW_SIMULATED);
	printf("memory_failure: %s\n", error ? strerror(-error) : "recovered");

	if (mp_read("/proc/meminfo", text, sizeof(text)) > 0 && (line = strstr(text, "HardwareCorrupted")))
		printf("%.*s\n", (int)strcspn(line, "\n"), line);
	printf("unpoison_memory: %s\n", unpoison_memory(pfn) ? "refused" : "the page is in use again");
	mp_failure_unregister(on_failure, NULL);
	return mp_shutdown() ? 1 : 0;
}
