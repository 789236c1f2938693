// Writes a DEL that nobody could do to the queue: the agent and the plugin run it before a later ADD (cni/del-queue.ts).
#include "launcher.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

// As in cni/del-queue.ts.
#define LONGEST_QUEUE 4096
#define LONGEST_ID 128

// The container's id goes into the file's name.
static const char *safe_container_id(void) {
  const char *id = getenv("CNI_CONTAINERID");
  if (id == NULL || *id == '\0') refuse(INVALID_ENVIRONMENT, "required env variables [CNI_CONTAINERID] missing", "");
  for (const char *c = id; *c != '\0'; c++)
    if ((unsigned char)*c > 0x7e || (!isalnum((unsigned char)*c) && (c == id || strchr("_.-", *c) == NULL)))
      refuse(INVALID_ENVIRONMENT, "invalid CNI_CONTAINERID: invalid characters", id);
  return id;
}

// Makes the directory and those above it.
static bool make_directory(char *path) {
  for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    bool made = mkdir(path, 0755) == 0 || errno == EEXIST;
    *slash = '/';
    if (!made) return false;
  }
  return mkdir(path, 0700) == 0 || errno == EEXIST;
}

static int open_queue(const struct call *call) {
  char *path;
  if (asprintf(&path, "%s/del-queue", config_path(call, "stateDirectory", "/var/lib/netloom")) < 0) return -1;
  if (!make_directory(path)) return -1;
  int queue = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  // The queue's own name must last, too.
  *strrchr(path, '/') = '\0';
  int above = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (queue < 0 || above < 0 || fsync(above) != 0) return -1;
  return queue;
}

// Names that begin with "." are of files that are being written, or locks.
static int count_entries(int queue) {
  DIR *directory = fdopendir(openat(queue, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory == NULL) return -1;
  int count = 0;
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) count += entry->d_name[0] != '.';
  closedir(directory);
  return count;
}

static bool write_entry(int queue, const char *temporary, const struct call *call) {
  int file = openat(queue, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) return false;
  return write_whole(file, call->body.at, call->body.length) && fsync(file) == 0 && close(file) == 0;
}

const char *queue_del(const struct call *call) {
  const char *id = safe_container_id();
  int queue = open_queue(call);
  int count = queue < 0 ? -1 : count_entries(queue);
  if (count < 0) return strerror(errno);
  if (count >= LONGEST_QUEUE) return "the queue is full";
  // Sorted by name they are sorted by time.
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  char temporary[LONGEST_ID + 80];
  snprintf(temporary, sizeof temporary, ".%010lld.%09ld-%d-%.*s.tmp", (long long)now.tv_sec, now.tv_nsec, getpid(),
           LONGEST_ID, id);
  char name[sizeof temporary] = "";
  memcpy(name, temporary + 1, strlen(temporary) - strlen(".tmp") - 1);
  if (write_entry(queue, temporary, call) && renameat(queue, temporary, queue, name) == 0 && fsync(queue) == 0)
    return NULL;
  const char *fault = strerror(errno);
  unlinkat(queue, temporary, 0);
  return fault;
}
