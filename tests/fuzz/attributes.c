/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes what is written to the files of the tree. Input: a byte for the contract, then records "file,
 * data" that end with 0x1e; file is one byte, an index into the files that can be written.
 */
#include "fuzz.h"

#include <string.h>

#define RECORDS 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end;
	size_t length, n = 0, files;

	if (!size)
		return 0;
	fuzz_hooks(false);
	machine_up(data[0] & 1);
	for (data++, size--; size && n < RECORDS; n++) {
		end = memchr(data, 0x1e, size);
		length = end ? (size_t)(end - data) : size;
		files = machine_files();
		if (length)
			machine_write(machine_file(data[0] % files), data + 1, length - 1);
		length += end != NULL;
		data += length;
		size -= length;
	}
	machine_compare();
	machine_down();
	return 0;
}
