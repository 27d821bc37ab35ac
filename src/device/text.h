/* SPDX-License-Identifier: MIT */
/* Text for attributes: into one page, or into a heap buffer that grows. */
#ifndef MEMPLUG_DEVICE_TEXT_H
#define MEMPLUG_DEVICE_TEXT_H

#include <linux/types.h>

/* Formats at `at` of a page; the number of characters written, never beyond the page. */
int page_printf(char *page, int at, const char *fmt, ...) __printf(3, 4);
/* The set bits as ascending ranges, "0-1,3\n"; just a newline for none. Length. */
ssize_t page_print_list(char *page, const unsigned long *bits, int nr_bits);
/* The set bits as comma-separated groups of 32 in hexadecimal, highest first. Length. */
ssize_t page_print_mask(char *page, const unsigned long *bits, int nr_bits);

/* A text that grows; all zero is empty. Once memory is short it stays failed. */
struct text {
	char *start;
	size_t len, size;
	bool failed;
};
void text_printf(struct text *text, const char *fmt, ...) __printf(2, 3);
/* Hands the buffer (os_alloc) to *start; its length, or -ENOMEM with nothing kept. */
ssize_t text_take(struct text *text, char **start);

#endif
