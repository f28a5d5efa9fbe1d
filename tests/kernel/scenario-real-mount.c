/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/util/cleanup.h"
#include "tests/kernel/scenario-real.h"

#define FDS_MAX 256

struct real_mount *real_mount_find(struct real *real, const char *label)
{
	struct real_mount *mount;

	TAILQ_FOREACH(mount, &real->mounts, link)
		if (strcmp(mount->label, label) == 0)
			return mount;
	return NULL;
}

/* ---- open -------------------------------------------------------------------------------- */

/* Makes the image of this mount. ':' is in no name of a scenario. */
static char *write_image(const struct real *real, const struct real_mount *mount)
{
	_cleanup_free_ char *path = scenario_sentence("%s/%s:image", real->files, mount->label);
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	uint8_t block[REAL_BLOCK];

	real_image(block, mount->object->sizes[mount->version - 1]);
	if (fd < 0 || write(fd, block, sizeof(block)) != sizeof(block))
		return scenario_sentence("%s: %s", path, strerror(errno));
	return NULL;
}

/* Without a domain the volume is named after the image, and every mount has one of its own; so
 * there is always a domain, by default that of the object's name. */
static const char *choose_domain(const struct scenario_step *step, const struct real_object *object)
{
	const char *domain = scenario_word(step, "in", NULL);

	if (!domain)
		domain = strchr(object->name, '%') ? "others" : object->name;
	return domain;
}

static char *start_mount(const struct real *real, struct real_mount *mount)
{
	_cleanup_free_ char *fsid = scenario_sentence("fsid=%s:image", mount->label);
	_cleanup_free_ char *domain = scenario_sentence("domain_id=%s", mount->domain);
	_cleanup_free_ char *device = scenario_sentence("device=%s", mount->object->key);
	const char *const argv[] = { "mount", "--mount", mount->dir, "source=none",
				     fsid,    domain,	 device,     NULL };
	int r = real_child_start(&mount->child, NULL, argv, false);

	return r < 0 ? scenario_sentence("cannot start: %s", strerror(-r)) : NULL;
}

char *real_mount_open(struct real *real, const struct scenario_step *step)
{
	struct real_object *object = real_object_find(real, step->object);
	uint64_t version = scenario_number(step, "version", object->versions);
	struct real_mount *mount;
	char *trouble;

	if (version < 1 || version > object->versions)
		return scenario_sentence("there is no version %ju", (uintmax_t)version);
	mount = calloc(1, sizeof(*mount));
	if (!mount)
		return scenario_sentence("no memory");
	mount->label = step->label;
	mount->object = object;
	mount->domain = object->domain = choose_domain(step, object);
	mount->version = (unsigned int)version;
	mount->dir = scenario_sentence("%s/m-%s", real->run, step->label);
	mount->daemon = real->daemons;
	mount->fd = -1;
	TAILQ_INSERT_TAIL(&real->mounts, mount, link);
	if (mkdir(mount->dir, 0755) < 0)
		return scenario_sentence("%s: %s", mount->dir, strerror(errno));
	trouble = write_image(real, mount);
	return trouble ? trouble : start_mount(real, mount);
}

/* ---- what became of the object ----------------------------------------------------------- */

/* The number that the kernel shows for a volume, which is found by its key. */
static bool find_volume(const char *domain, char number[static 16])
{
	FILE *volumes = fopen("/proc/fs/fscache/volumes", "re");
	char line[512], key[300];
	bool found = false;

	snprintf(key, sizeof(key), " erofs,%s\n", domain);
	while (!found && volumes && fgets(line, sizeof(line), volumes)) {
		size_t len = strlen(line), want = strlen(key);

		found = len > want && strcmp(line + len - want, key) == 0;
		if (found)
			sscanf(line, "%15s", number);
	}
	if (volumes)
		fclose(volumes);
	return found;
}

/* The state of a cookie, a letter of fscache_cookie_states[]: L and C while it is looked for and
 * made, A when it is open, F when it could not be; '\0': there is none. mount(2) does not wait for
 * the objects that are not the image's own. */
static char cookie_state(const struct real_mount *mount)
{
	FILE *cookies = NULL;
	char line[1024], volume[16] = "", cookie_volume[16], key[513], hex[2 * 256 + 1] = "";
	char state, found = '\0';

	for (size_t i = 0; mount->object->key[i]; i++)
		sprintf(hex + 2 * i, "%02x", (uint8_t)mount->object->key[i]);
	if (find_volume(mount->domain, volume))
		cookies = fopen("/proc/fs/fscache/cookies", "re");
	while (cookies && fgets(line, sizeof(line), cookies))
		if (sscanf(line, "%*s %15s %*s %*s %*s %c %*s %512s", cookie_volume, &state, key) ==
			    3 &&
		    strcmp(cookie_volume, volume) == 0 && strcmp(key, hex) == 0 && found != 'A')
			found = state;
	if (cookies)
		fclose(cookies);
	return found;
}

/* They have one object in the kernel, and one descriptor in the daemon. */
static bool shares(const struct real_mount *a, const struct real_mount *b)
{
	return a->daemon == b->daemon && a->object == b->object &&
	       strcmp(a->domain, b->domain) == 0;
}

/* Notes which of the daemon's descriptors is that of the object, by its size. */
static void find_fd(const struct real *real, struct real_mount *mount)
{
	uint64_t size = mount->object->sizes[mount->version - 1];
	const struct real_mount *other;
	int fds[FDS_MAX];
	size_t n = real_daemon_fds(real, fds, FDS_MAX);

	for (size_t i = 0; i < n && i < FDS_MAX && mount->fd < 0; i++) {
		_cleanup_close_ int fd = real_daemon_fd(real, fds[i]);

		if (fd < 0 || (uint64_t)lseek(fd, 0, SEEK_END) !=
				      (size + REAL_BLOCK - 1) / REAL_BLOCK * REAL_BLOCK)
			continue;
		TAILQ_FOREACH(other, &real->mounts, link)
			if (other->fd == fds[i] && other->state == REAL_MOUNTED &&
			    other->daemon == mount->daemon && !shares(other, mount))
				break;
		if (!other)
			mount->fd = fds[i];
	}
}

static void settle(const struct real *real, struct real_mount *mount)
{
	char state;

	if (mount->state != REAL_MOUNTING || !real_child_ended(&mount->child, 0))
		return;
	state = mount->child.status == 0 ? cookie_state(mount) : '\0';
	if (state == 'L' || state == 'C')
		return;
	mount->state = state == 'A' || state == 'U' ? REAL_MOUNTED : REAL_NOT_MOUNTED;
	if (mount->state == REAL_MOUNTED)
		find_fd(real, mount);
	else
		umount2(mount->dir, 0);
}

char *real_mount_done(struct real *real, struct real_mount *mount, bool wait,
		      struct scenario_result *ret)
{
	real_child_ended(&mount->child, wait ? REAL_WAIT_MS : 50);
	settle(real, mount);
	for (int ms = 0; wait && mount->state == REAL_MOUNTING && ms < REAL_WAIT_MS; ms += 5) {
		usleep(5000);
		settle(real, mount);
	}
	if (wait && mount->state == REAL_MOUNTING)
		return scenario_sentence("mount '%s' hangs", mount->label);
	*ret = (struct scenario_result){
		.outcome = mount->state == REAL_MOUNTED	   ? SCENARIO_OK
			   : mount->state == REAL_MOUNTING ? SCENARIO_WAITING
							   : SCENARIO_FAILS,
		.error = mount->state == REAL_NOT_MOUNTED ? -EIO : 0,
	};
	return NULL;
}

bool real_mount_usable(struct real_mount *mount)
{
	if (mount->state != REAL_MOUNTING)
		return mount->state == REAL_MOUNTED;
	return real_child_ended(&mount->child, REAL_WAIT_MS) && mount->child.status == 0;
}

/* ---- close ------------------------------------------------------------------------------- */

/* What the daemon has to hold for the mounts that are left: their images, and each object once. */
static size_t expected_fds(const struct real *real)
{
	const struct real_mount *mount, *other;
	size_t n = 0;

	TAILQ_FOREACH(mount, &real->mounts, link) {
		if (mount->state == REAL_NOT_MOUNTED || mount->daemon != real->daemons)
			continue;
		n++;
		TAILQ_FOREACH(other, &real->mounts, link)
			if (other == mount ||
			    (other->state != REAL_NOT_MOUNTED && shares(other, mount)))
				break;
		n += other == mount;
	}
	return n;
}

char *real_mount_close(struct real *real, struct real_mount *mount)
{
	if (umount2(mount->dir, 0) < 0)
		return scenario_sentence("umount '%s': %s", mount->label, strerror(errno));
	mount->state = REAL_NOT_MOUNTED;
	for (int ms = 0; real_daemon_fds(real, NULL, 0) > expected_fds(real); ms += 2) {
		if (ms > REAL_WAIT_MS)
			return scenario_sentence("the daemon does not let go of '%s'",
						 mount->label);
		usleep(2000);
	}
	return NULL;
}

void real_mount_abandon(struct real_mount *mount)
{
	real_child_free(&mount->child);
	if (mount->state != REAL_NOT_MOUNTED)
		umount2(mount->dir, MNT_DETACH);
	free(mount->dir);
	free(mount);
}

/* ---- the cache file ---------------------------------------------------------------------- */

static uint64_t count_data(int fd)
{
	uint64_t n = 0;
	off_t data, hole = 0;

	while ((data = lseek(fd, hole, SEEK_DATA)) >= 0) {
		hole = lseek(fd, data, SEEK_HOLE);
		if (hole < 0)
			break;
		n += (uint64_t)(hole - data);
	}
	return n;
}

/* In the cache directory, where it is once it is closed: cache/IVOLUME/@FANOUT/DKEY. */
static int open_file(const struct real *real, const struct real_object *object)
{
	char pattern[PATH_MAX];
	glob_t found;
	int fd = -1;

	snprintf(pattern, sizeof(pattern), "%s/cache/Ierofs,%s/@*/D%s", real->cache, object->domain,
		 object->key);
	if (glob(pattern, 0, NULL, &found) == 0) {
		fd = open(found.gl_pathv[0], O_RDONLY | O_CLOEXEC);
		globfree(&found);
	}
	return fd;
}

/* While it is open for the first time it has no name: the daemon's descriptor is asked. */
char *real_mount_present(struct real *real, const struct real_object *object, uint64_t *ret)
{
	_cleanup_close_ int fd = -1;
	struct real_mount *mount;

	TAILQ_FOREACH(mount, &real->mounts, link)
		if (mount->object == object && strcmp(mount->domain, object->domain) == 0 &&
		    mount->state == REAL_MOUNTED && mount->daemon == real->daemons)
			break;
	if (mount && real->daemon.pid)
		fd = real_daemon_fd(real, mount->fd);
	else if (object->domain)
		fd = open_file(real, object);
	if (fd < 0 && mount && real->daemon.pid)
		return scenario_sentence("no descriptor of '%s' in the daemon", object->name);
	*ret = fd < 0 ? 0 : count_data(fd);
	return NULL;
}
