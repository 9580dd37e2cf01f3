/* Stands between a process and its disk: keeps a log of every change to the files
 * of one folder, and fails the n-th of them where told to.
 *
 * Loaded with LD_PRELOAD. TORTURE_FOLDER is the folder (absolute); TORTURE_LOG a
 * file for the log. TORTURE_FAIL_AT, TORTURE_FAIL_ERRNO and TORTURE_FAIL_STICKY
 * arm a failure from the start; torture_arm() does so later.
 *
 * A log record: one byte of operation, a 4-byte path length, 8-byte offset,
 * 8-byte data length (native order), the path within the folder, the data.
 *   C created   W written   T truncated to offset   S synced   U unlinked   F failed
 *   L given the path as a further name (the data is the name it had)
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOST_FILES 4096

static char folder[PATH_MAX];
static size_t folder_length;
static int log_fd = -1;
static char *paths[MOST_FILES]; /* of open descriptors, within the folder */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static long seen, fail_at;
static int fail_errno, fail_sticky;

void torture_arm(long at, int error, int sticky) {
  pthread_mutex_lock(&lock);
  seen = 0;
  fail_at = at;
  fail_errno = error;
  fail_sticky = sticky;
  pthread_mutex_unlock(&lock);
}

long torture_seen(void) { return seen; }

__attribute__((constructor)) static void begin(void) {
  const char *name = getenv("TORTURE_FOLDER");
  if (name == NULL || strlen(name) >= sizeof folder) return;
  strcpy(folder, name);
  folder_length = strlen(folder);
  if ((name = getenv("TORTURE_LOG")) != NULL)
    log_fd = (int)syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if ((name = getenv("TORTURE_FAIL_AT")) != NULL) {
    const char *error = getenv("TORTURE_FAIL_ERRNO"), *sticky = getenv("TORTURE_FAIL_STICKY");
    torture_arm(atol(name), error ? atoi(error) : EIO, sticky ? atoi(sticky) : 0);
  }
}

/* The path within the folder ("" for the folder itself), or NULL. */
static const char *within(const char *path) {
  if (folder_length == 0 || path == NULL || strncmp(path, folder, folder_length) != 0) return NULL;
  if (path[folder_length] == '\0') return path + folder_length;
  return path[folder_length] == '/' ? path + folder_length + 1 : NULL;
}

static const char *known(int fd) { return fd >= 0 && fd < MOST_FILES ? paths[fd] : NULL; }

static void all(const void *data, size_t length) {
  const char *at = data;
  while (length > 0) {
    long done = syscall(SYS_write, log_fd, at, length);
    if (done <= 0) abort(); /* a log with a hole would prove nothing */
    at += done;
    length -= (size_t)done;
  }
}

static void note(char operation, const char *path, int64_t offset, const void *data, size_t length) {
  if (log_fd < 0) return;
  char head[21];
  uint32_t path_length = (uint32_t)strlen(path);
  uint64_t data_length = length;
  head[0] = operation;
  memcpy(head + 1, &path_length, 4);
  memcpy(head + 5, &offset, 8);
  memcpy(head + 13, &data_length, 8);
  all(head, sizeof head);
  all(path, path_length);
  all(data, length);
}

/* Whether this change is the one to fail; the control file of the test never is. */
static int fails(const char *path) {
  if (strcmp(path, "acknowledged") == 0) return 0;
  seen++;
  if (fail_at <= 0 || !(seen == fail_at || (fail_sticky && seen > fail_at))) return 0;
  note('F', path, 0, NULL, 0);
  return 1;
}

static int opened(const char *path, int flags, mode_t mode) {
  const char *inside = within(path);
  if (inside == NULL) return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
  pthread_mutex_lock(&lock);
  int creates = (flags & O_CREAT) && syscall(SYS_faccessat, AT_FDCWD, path, F_OK) != 0;
  int fd = -1;
  if (creates && fails(inside)) {
    errno = fail_errno;
  } else {
    fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    if (fd >= 0 && creates) note('C', inside, 0, NULL, 0);
    if (fd >= 0 && (flags & O_TRUNC)) note('T', inside, 0, NULL, 0);
    if (fd >= 0 && fd < MOST_FILES) {
      free(paths[fd]);
      paths[fd] = strdup(inside);
    }
  }
  int error = errno;
  pthread_mutex_unlock(&lock);
  errno = error;
  return fd;
}

#define OPEN(name)                                   \
  int name(const char *path, int flags, ...) {       \
    mode_t mode = 0;                                 \
    if (flags & (O_CREAT | O_TMPFILE)) {             \
      va_list rest;                                  \
      va_start(rest, flags);                         \
      mode = va_arg(rest, mode_t);                   \
      va_end(rest);                                  \
    }                                                \
    return opened(path, flags, mode);                \
  }
OPEN(open)
OPEN(open64)

int close(int fd) {
  pthread_mutex_lock(&lock);
  if (fd >= 0 && fd < MOST_FILES) {
    free(paths[fd]);
    paths[fd] = NULL;
  }
  int result = (int)syscall(SYS_close, fd), error = errno;
  pthread_mutex_unlock(&lock);
  errno = error;
  return result;
}

/* A disk that fills up takes the first half of what it is given. */
static ssize_t written(int fd, const void *data, size_t length, off_t offset, int placed) {
  pthread_mutex_lock(&lock);
  const char *path = known(fd);
  int failing = path != NULL && fails(path);
  size_t take = failing ? (fail_errno == ENOSPC && !fail_sticky ? length / 2 : 0) : length;
  ssize_t done = -1;
  if (failing && take == 0) {
    errno = fail_errno;
  } else {
    if (path != NULL && !placed) offset = (off_t)syscall(SYS_lseek, fd, 0L, SEEK_CUR);
    done = placed ? syscall(SYS_pwrite64, fd, data, take, offset) : syscall(SYS_write, fd, data, take);
    if (path != NULL && done > 0) note('W', path, offset, data, (size_t)done);
  }
  int error = errno;
  pthread_mutex_unlock(&lock);
  errno = error;
  return done;
}

ssize_t write(int fd, const void *data, size_t length) {
  if (known(fd) == NULL) return syscall(SYS_write, fd, data, length);
  return written(fd, data, length, 0, 0);
}
ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
  return written(fd, data, length, offset, 1);
}
ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
  return written(fd, data, length, offset, 1);
}

static int changed(char operation, int fd, off_t length) {
  pthread_mutex_lock(&lock);
  const char *path = known(fd);
  int result = -1;
  if (path != NULL && fails(path)) {
    errno = fail_errno;
  } else {
    result = (int)(operation == 'T' ? syscall(SYS_ftruncate, fd, length) : syscall(SYS_fsync, fd));
    if (path != NULL && result == 0) note(operation, path, length, NULL, 0);
  }
  int error = errno;
  pthread_mutex_unlock(&lock);
  errno = error;
  return result;
}

int ftruncate(int fd, off_t length) { return changed('T', fd, length); }
int ftruncate64(int fd, off64_t length) { return changed('T', fd, length); }
int fsync(int fd) { return changed('S', fd, 0); }
int fdatasync(int fd) { return changed('S', fd, 0); }

int unlink(const char *path) {
  const char *inside = within(path);
  if (inside == NULL) return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
  pthread_mutex_lock(&lock);
  int result = -1;
  if (fails(inside)) {
    errno = fail_errno;
  } else {
    result = (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    if (result == 0) note('U', inside, 0, NULL, 0);
  }
  int error = errno;
  pthread_mutex_unlock(&lock);
  errno = error;
  return result;
}

int link(const char *from, const char *to) {
  const char *inside = within(to), *before = within(from);
  if (inside == NULL || before == NULL)
    return (int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
  pthread_mutex_lock(&lock);
  int result = -1;
  if (fails(inside)) {
    errno = fail_errno;
  } else {
    result = (int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
    if (result == 0) note('L', inside, 0, before, strlen(before));
  }
  int error = errno;
  pthread_mutex_unlock(&lock);
  errno = error;
  return result;
}
