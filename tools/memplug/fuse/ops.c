// SPDX-License-Identifier: MIT
/*
 * What the kernel asks of the mount about names: looking up, attributes, links;
 * and what sysfs refuses. No state.
 */
#include "mount.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const char *entry_parse(const char *at, const char *end, struct mp_packet_entry *entry,
			const char **name, const char **target)
{
	const char *parts[2];
	int i;

	if (end - at < (ptrdiff_t)sizeof(*entry))
		return NULL;
	memcpy(entry, at, sizeof(*entry));
	at += sizeof(*entry);
	for (i = 0; i < 2; i++) {
		parts[i] = at;
		at = memchr(at, '\0', (size_t)(end - at));
		if (!at++)
			return NULL;
	}
	*name = parts[0];
	*target = parts[1];
	return at;
}

#define DEVICES "/sys/devices/system/"

void fill_attr(struct stat *st, const struct mp_packet_entry *entry)
{
	static const mode_t types[] = { [MP_ENTRY_FILE] = S_IFREG, [MP_ENTRY_DIR] = S_IFDIR,
					[MP_ENTRY_LINK] = S_IFLNK };
	static time_t begin;

	if (!begin)
		begin = time(NULL);
	memset(st, 0, sizeof(*st));
	st->st_ino = entry->id + FUSE_ROOT_ID;
	st->st_mode = types[entry->type <= MP_ENTRY_LINK ? entry->type : 0] | (entry->mode & 07777);
	/* Not counted for directories, which 1 says. */
	st->st_nlink = 1;
	st->st_size = entry->size;
	st->st_blksize = 4096;
	st->st_atime = st->st_mtime = st->st_ctime = begin;
	modes_apply(entry->id, st);
}

/*
 * Either it stays as long as the machine, or an event tells that it has gone; of links, the injector,
 * slots, a CPU's topology none does.
 */
static bool is_kept(const char *path, enum mp_entry_type type)
{
	size_t length = strlen(path);

	if (type == MP_ENTRY_LINK || !strcmp(strrchr(path, '/'), "/topology"))
		return false;
	return !strncmp(path, DEVICES, sizeof(DEVICES) - 1) || !strcmp(path, "/proc") ||
	       (length < sizeof(DEVICES) && !strncmp(path, DEVICES, length) && DEVICES[length] == '/');
}

void fill_entry(struct fuse_entry_param *param, const struct node *node,
		const struct mp_packet_entry *entry, uint64_t stamp)
{
	memset(param, 0, sizeof(*param));
	param->ino = node_ino(node);
	fill_attr(&param->attr, entry);
	param->attr_timeout = KEEP_SECONDS;
	/* What is being removed may have been told already: it is not to be kept behind that. */
	if (stamp && stamp == changes_now() && is_kept(node->path, entry->type))
		param->entry_timeout = KEEP_SECONDS;
}

/* The entry of a path; 0 or -errno. The link's data has it until it is put. */
static int stat_path(struct link *link, const char *path, struct mp_packet_entry *entry,
		     const char **target)
{
	const char *name;
	int64_t ret = link ? link_call(link, MP_PACKET_STAT, 0, path, 0) : -ENOTCONN;

	if (!ret && !entry_parse(link->data, link->data + link->size, entry, &name, target))
		ret = -EIO;
	return (int)ret;
}

/* The same of a node, which must still be what it was. */
static int stat_node(struct link *link, const struct node *node, struct mp_packet_entry *entry,
		     const char **target)
{
	int ret = stat_path(link, node->path, entry, target);

	if (ret == -ENOENT || ret == -ENOTDIR || (!ret && entry->id != node->id))
		ret = -ESTALE;
	return ret;
}

int node_verify(struct node *node, struct mp_packet_entry *entry)
{
	uint64_t now = changes_now();
	struct link *link;
	const char *target;
	int ret;

	if (node_known(node, now, entry))
		return 0;
	link = link_get();
	ret = stat_node(link, node, entry, &target);
	if (link)
		link_put(link);
	if (!ret)
		node_set_known(node, entry, now);
	return ret;
}

/* A node of its own for who has to write beside others. */
static bool wants_own(fuse_req_t req, const struct mp_packet_entry *entry)
{
	return entry->type == MP_ENTRY_FILE && entry->mode & 0222 && looks_up_again(req);
}

/* By asking for this one name. */
static int look_up(fuse_req_t req, const char *path, uint64_t now, struct mp_packet_entry *entry,
		   struct node **node)
{
	struct link *link = link_get();
	const char *target;
	int ret = stat_path(link, path, entry, &target);

	if (link)
		link_put(link);
	if (ret)
		return ret;
	*node = node_look_up(path, entry, wants_own(req, entry), now);
	return *node ? 0 : -ENOMEM;
}

/* In what is known of the directory. */
static int look_up_listed(fuse_req_t req, const char *path, const char *name,
			  const struct listing *listing, struct mp_packet_entry *entry,
			  struct node **node)
{
	const char *text;
	uint32_t size;

	if (!listing_find(listing, name, entry, &text, &size))
		return -ENOENT;
	if (wants_own(req, entry))
		*node = node_look_up(path, entry, true, listing->stamp);
	else
		*node = node_learn(path, entry, text, size, listing->stamp);
	return *node ? 0 : -ENOMEM;
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct node *directory = node_of(parent), *node = NULL;
	uint64_t now = changes_now();
	struct fuse_entry_param param;
	struct mp_packet_entry entry;
	struct listing *listing;
	char path[512];
	int ret;

	if (!node_child_path(directory, name, path)) {
		fuse_reply_err(req, ENAMETOOLONG);
		return;
	}
	listing = listing_of(directory, now);
	ret = listing ? look_up_listed(req, path, name, listing, &entry, &node) :
			look_up(req, path, now, &entry, &node);
	listing_put(listing);
	if (ret) {
		fuse_reply_err(req, -ret);
		return;
	}
	fill_entry(&param, node, &entry, now);
	if (fuse_reply_entry(req, &param) == -ENOENT)
		node_forget(node, 1);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups)
{
	node_forget(node_of(ino), lookups);
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	size_t i;

	for (i = 0; i < count; i++)
		node_forget(node_of(forgets[i].ino), forgets[i].nlookup);
	fuse_reply_none(req);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct mp_packet_entry entry;
	struct stat st;
	int ret = node_verify(node_of(ino), &entry);

	(void)fi;
	if (ret) {
		fuse_reply_err(req, -ret);
		return;
	}
	fill_attr(&st, &entry);
	fuse_reply_attr(req, &st, KEEP_SECONDS);
}

/* Truncating is accepted and has no effect; modes and owners hold (SYSFS-3). Times stay. */
static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int which,
		       struct fuse_file_info *fi)
{
	struct mp_packet_entry entry;
	struct stat st;
	int ret = node_verify(node_of(ino), &entry);

	(void)fi;
	if (!ret) {
		fill_attr(&st, &entry);
		if (which & FUSE_SET_ATTR_MODE)
			st.st_mode = (st.st_mode & S_IFMT) | (attr->st_mode & 07777);
		if (which & FUSE_SET_ATTR_UID)
			st.st_uid = attr->st_uid;
		if (which & FUSE_SET_ATTR_GID)
			st.st_gid = attr->st_gid;
		if (which & (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))
			ret = modes_set(entry.id, &st);
	}
	if (ret)
		fuse_reply_err(req, -ret);
	else
		fuse_reply_attr(req, &st, KEEP_SECONDS);
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct link *link = link_get();
	struct mp_packet_entry entry;
	const char *target;
	int ret = stat_node(link, node_of(ino), &entry, &target);

	if (!ret && entry.type != MP_ENTRY_LINK)
		ret = -EINVAL;
	if (ret)
		fuse_reply_err(req, -ret);
	else
		fuse_reply_readlink(req, target);
	if (link)
		link_put(link);
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs statvfs = { .f_bsize = 4096, .f_frsize = 4096, .f_namemax = 63 };

	(void)ino;
	fuse_reply_statfs(req, &statvfs);
}

/* ---- nothing is made or removed by name, with the errno of sysfs ---- */

static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		      struct fuse_file_info *fi)
{
	(void)parent, (void)name, (void)mode, (void)fi;
	fuse_reply_err(req, EACCES);
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t dev)
{
	(void)parent, (void)name, (void)mode, (void)dev;
	fuse_reply_err(req, EPERM);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	(void)parent, (void)name, (void)mode;
	fuse_reply_err(req, EPERM);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	(void)parent, (void)name;
	fuse_reply_err(req, EPERM);
}

static void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	(void)target, (void)parent, (void)name;
	fuse_reply_err(req, EPERM);
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	(void)ino, (void)parent, (void)name;
	fuse_reply_err(req, EPERM);
}

static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to,
		      const char *new_name, unsigned int flags)
{
	(void)parent, (void)name, (void)to, (void)new_name, (void)flags;
	fuse_reply_err(req, EPERM);
}

static void op_init(void *data, struct fuse_conn_info *connection)
{
	(void)data;
	/* O_TRUNC would set the size to 0 behind our back, and a writer would lock others out. */
	connection->want &= ~(unsigned int)FUSE_CAP_ATOMIC_O_TRUNC;
	connection->want &= ~(unsigned int)FUSE_CAP_READDIRPLUS_AUTO;
}

const struct fuse_lowlevel_ops mount_ops = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.readlink = op_readlink,
	.statfs = op_statfs,
	.create = op_create,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.unlink = op_unlink,
	.rmdir = op_unlink,
	.symlink = op_symlink,
	.link = op_link,
	.rename = op_rename,
	.open = file_open,
	.read = file_read,
	.write = file_write,
	.release = file_release,
	.poll = file_poll,
	.opendir = directory_open,
	.readdir = directory_read,
	.readdirplus = directory_read_plus,
	.releasedir = directory_release,
};
