/* SPDX-License-Identifier: MIT */
/*
 * What the fuzz harnesses share: random bytes that a seed repeats, generated inputs, and a machine whose
 * whole tree is compared. Each harness is LLVMFuzzerTestOneInput(): clang's libFuzzer calls it (make fuzz), or
 * main.c does, with the corpus and inputs made from it.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <memplug/memplug.h>

#define FUZZ_MAX 16384 /* bytes of an input */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the program with a text and SIGABRT. */
void fuzz_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* Data as a C string literal would have it, cut at 200 characters; lives until the next call. */
const char *fuzz_escape(const void *data, size_t size);
/* Ignored by the log; warnings fail; fatal errors do, too, unless `fatal` is true: then they return. */
void fuzz_hooks(bool fatal);

/* ---- generate.c ---- */

struct fuzz_random {
	uint64_t state;
};
uint64_t fuzz_next(struct fuzz_random *random);
/* 0 to below - 1 */
size_t fuzz_below(struct fuzz_random *random, size_t below);
/* A word that some part of the library takes, as it is or nearly. Its length; at most 64 bytes. */
size_t fuzz_word(struct fuzz_random *random, char *word);
/* Changes an input in one to eight places; the new size, at most `room`. */
size_t fuzz_mutate(struct fuzz_random *random, uint8_t *data, size_t size, size_t room);
/* What is written to a file whose text is `now`: at most `room` bytes. */
size_t fuzz_value(struct fuzz_random *random, const char *now, uint8_t *data, size_t room);

/* ---- machine.c: a small machine with something in every state ---- */

void machine_up(bool linux_contract);
void machine_down(void);
/* The paths of all files that can be written, in order, counted anew. */
size_t machine_files(void);
const char *machine_file(size_t index);
/* Writes once; when it fails, the machine is what it was, or the program ends. 0 or more, or -errno. */
long machine_write(const char *path, const uint8_t *data, size_t size);
/* Compares what is still to be compared, and lets the machine check itself. */
void machine_compare(void);
/* Boots a description if it is small and asks for nothing of the host's but memory. */
void machine_try(const struct mp_desc *desc);

#endif
