// SPDX-License-Identifier: MIT
/* `memplug mount` where libfuse3 was missing when memplug was built. */
#include "../memplug.h"

static int mount_verb(struct options *options, int argc, char **argv)
{
	(void)options;
	(void)argc;
	(void)argv;
	complain("mount: built without libfuse3; install libfuse3-dev and build again");
	return EXIT_NOTHING;
}

const struct verb verb_mount = {
	"mount", "[SOCKET] DIR", "the machine's tree as a file system (not built in)",
	"This memplug was built without libfuse3: install libfuse3-dev and build again.\n",
	mount_verb,
};
