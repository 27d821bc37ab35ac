/* SPDX-License-Identifier: MIT */
/* The options of `memplug boot`. */
#ifndef MEMPLUG_COMMAND_DESCRIBE_H
#define MEMPLUG_COMMAND_DESCRIBE_H

#include "memplug.h"

#include <memplug/machine.h>

/* Describes the machine that the options mean; *mount: where it shall be mounted, if anywhere.
 * EXIT_DONE, or EXIT_USAGE with a message. */
int describe(struct mp_desc *desc, int argc, char **argv, const char **mount);
#endif
