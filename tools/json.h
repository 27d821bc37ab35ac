/* SPDX-License-Identifier: MIT */
/* Strings for JSON. */
#ifndef MEMPLUG_TOOLS_JSON_H
#define MEMPLUG_TOOLS_JSON_H

/* Prints the text in quotes, escaped. */
void json_string(const char *text);

#endif
