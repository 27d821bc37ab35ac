/* SPDX-License-Identifier: MIT */
/* Strings for JSON. */
#ifndef MEMPLUG_TOOLS_JSON_H
#define MEMPLUG_TOOLS_JSON_H

/* Prints the text in quotes, escaped. */
void json_string(const char *text);
/* The same, or null for NULL. */
void json_string_or_null(const char *text);

#endif
