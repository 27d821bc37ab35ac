/* SPDX-License-Identifier: MIT */
/* Fuzzes the text of machine descriptions; what can be read is booted where it is small. */
#include "fuzz.h"

#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mp_desc *desc = mp_desc_new();
	char text[FUZZ_MAX + 1];
	int ret;

	if (size > FUZZ_MAX)
		size = FUZZ_MAX;
	memcpy(text, data, size);
	text[size] = '\0';
	fuzz_hooks(true);
	ret = mp_desc_parse(desc, text, "fuzz");
	if (ret && ret != -EINVAL && ret != -ENOMEM)
		fuzz_fail("mp_desc_parse gave %d", ret);
	if (ret && strncmp(mp_desc_error(desc), "fuzz:", 5))
		fuzz_fail("error %d without a line: \"%s\"", ret, mp_desc_error(desc));
	if (!ret)
		machine_try(desc);
	mp_desc_free(desc);
	return 0;
}
