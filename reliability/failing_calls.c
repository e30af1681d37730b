/* Fails one chosen system call below a folder, once or from then on: a library for LD_PRELOAD (Linux, glibc).

   Calls through the C library that name a path below the folder, or a descriptor of a file there, are counted while
   the library is armed. The call with the chosen number returns an error instead of being made; `close` is made, too.
   With error 0 the process dies before it. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAX_CALLS 8192
static char folder[PATH_MAX], names[MAX_CALLS][64];
static int armed, seen, chosen, error_number, sticky, failed;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void attack_arm(const char *path, int number, int error, int from_then_on) {
    snprintf(folder, sizeof folder, "%s", path);
    seen = failed = 0, chosen = number, error_number = error, sticky = from_then_on, armed = 1;
}
void attack_disarm(void) { armed = 0; }
int attack_seen(void) { return seen; }
int attack_failed(void) { return failed; }
const char *attack_name(int number) { return names[number]; }

static int is_below(const char *path) { return path && !strncmp(path, folder, strlen(folder)); }

static int needs_space(const char *call) {
    return !strncmp(call, "write", 5) || !strncmp(call, "pwrite", 6) || !strcmp(call, "fsync") || !strcmp(call, "create")
        || !strcmp(call, "mkdir") || strstr(call, "allocate") || !strcmp(call, "link");
}

static int changes(const char *call) {
    return needs_space(call) || !strcmp(call, "truncate") || !strcmp(call, "unlink") || !strcmp(call, "rename")
        || !strcmp(call, "rmdir");
}

/* Count a call; return whether it must fail. */
static int must_fail(const char *call, const char *path) {
    pthread_mutex_lock(&lock);
    int number = seen++, fail = 0;
    if (number < MAX_CALLS) {
        const char *name = strrchr(path, '/');
        snprintf(names[number], sizeof names[number], "%s %s", call, name ? name + 1 : path);
    }
    int too = error_number == ENOSPC ? needs_space(call) : changes(call);
    if (number == chosen || (sticky && number > chosen && too)) fail = failed = 1;
    pthread_mutex_unlock(&lock);
    if (fail && !error_number) kill(getpid(), SIGKILL);
    if (fail) errno = error_number;
    return fail;
}
static int path_fails(const char *call, const char *path) { return armed && is_below(path) && must_fail(call, path); }
static int file_fails(const char *call, int file) {
    char name[64], path[PATH_MAX];
    if (!armed || file < 0) return 0;
    snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    ssize_t size = syscall(SYS_readlinkat, AT_FDCWD, name, path, sizeof path - 1);
    if (size < 0) return 0;
    path[size] = 0;
    return is_below(path) && must_fail(call, path);
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)
#define BY_PATH(type, name, call, bad, parameters, ...) \
    type name parameters { \
        static type(*real) parameters; \
        if (!real) real = (type(*) parameters)dlsym(RTLD_NEXT, #name); \
        return path_fails(call, path) ? bad : real(__VA_ARGS__); \
    }
#define BY_FILE(type, name, call, bad, parameters, ...) \
    type name parameters { \
        static type(*real) parameters; \
        if (!real) real = (type(*) parameters)dlsym(RTLD_NEXT, #name); \
        return file_fails(call, file) ? bad : real(__VA_ARGS__); \
    }
#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(int, name, const char *, int, ...); \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        return path_fails(flags & O_CREAT ? "create" : "open", path) ? -1 : real(path, flags, mode); \
    }
#define OPEN_AT(name) \
    int name(int at, const char *path, int flags, ...) { \
        REAL(int, name, int, const char *, int, ...); \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        const char *call = flags & O_CREAT ? "create" : "open"; \
        return (path[0] == '/' ? path_fails(call, path) : file_fails(call, at)) ? -1 : real(at, path, flags, mode); \
    }
#define CONTROL(name) \
    int name(int file, int command, ...) { \
        REAL(int, name, int, int, ...); \
        va_list rest; \
        va_start(rest, command); \
        void *argument = va_arg(rest, void *); \
        va_end(rest); \
        int locks = command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK; \
        return locks && file_fails("lock", file) ? -1 : real(file, command, argument); \
    }

OPEN(open)
OPEN(open64)
OPEN_AT(openat)
OPEN_AT(openat64)
CONTROL(fcntl)
CONTROL(fcntl64)
BY_PATH(FILE *, fopen, "open", NULL, (const char *path, const char *mode), path, mode)
BY_PATH(FILE *, fopen64, "open", NULL, (const char *path, const char *mode), path, mode)
BY_PATH(void *, opendir, "list", NULL, (const char *path), path)
BY_FILE(void *, fdopendir, "list", NULL, (int file), file)
BY_FILE(ssize_t, read, "read", -1, (int file, void *data, size_t size), file, data, size)
BY_FILE(ssize_t, pread, "read", -1, (int file, void *data, size_t size, off_t at), file, data, size, at)
BY_FILE(ssize_t, pread64, "read", -1, (int file, void *data, size_t size, off64_t at), file, data, size, at)
BY_FILE(ssize_t, write, "write", -1, (int file, const void *data, size_t size), file, data, size)
BY_FILE(ssize_t, writev, "write", -1, (int file, const struct iovec *parts, int count), file, parts, count)
BY_FILE(ssize_t, pwrite, "pwrite", -1, (int file, const void *data, size_t size, off_t at), file, data, size, at)
BY_FILE(ssize_t, pwrite64, "pwrite", -1, (int file, const void *data, size_t size, off64_t at), file, data, size, at)
BY_FILE(int, fsync, "fsync", -1, (int file), file)
BY_FILE(int, fdatasync, "fsync", -1, (int file), file)
BY_FILE(int, ftruncate, "truncate", -1, (int file, off_t size), file, size)
BY_FILE(int, ftruncate64, "truncate", -1, (int file, off64_t size), file, size)
BY_FILE(int, posix_fallocate, "allocate", error_number, (int file, off_t at, off_t size), file, at, size)
BY_FILE(int, posix_fallocate64, "allocate", error_number, (int file, off64_t at, off64_t size), file, at, size)
BY_FILE(int, fallocate, "allocate", -1, (int file, int mode, off_t at, off_t size), file, mode, at, size)
BY_FILE(int, fallocate64, "allocate", -1, (int file, int mode, off64_t at, off64_t size), file, mode, at, size)
BY_FILE(int, flock, "lock", -1, (int file, int operation), file, operation)
BY_FILE(off_t, lseek, "seek", -1, (int file, off_t at, int from), file, at, from)
BY_FILE(off64_t, lseek64, "seek", -1, (int file, off64_t at, int from), file, at, from)
BY_FILE(int, fchmod, "chmod", -1, (int file, mode_t mode), file, mode)
BY_PATH(int, chmod, "chmod", -1, (const char *path, mode_t mode), path, mode)
BY_FILE(int, fchown, "chown", -1, (int file, uid_t user, gid_t group), file, user, group)
BY_PATH(int, chown, "chown", -1, (const char *path, uid_t user, gid_t group), path, user, group)
BY_PATH(int, mkdir, "mkdir", -1, (const char *path, mode_t mode), path, mode)
BY_PATH(int, rmdir, "rmdir", -1, (const char *path), path)
BY_PATH(int, remove, "unlink", -1, (const char *path), path)
BY_PATH(int, unlink, "unlink", -1, (const char *path), path)
BY_PATH(int, access, "access", -1, (const char *path, int mode), path, mode)
BY_PATH(int, rename, "rename", -1, (const char *path, const char *target), path, target)
BY_PATH(int, link, "link", -1, (const char *path, const char *target), path, target)
BY_PATH(int, truncate, "truncate", -1, (const char *path, off_t size), path, size)
BY_PATH(int, stat, "stat", -1, (const char *path, struct stat *found), path, found)
BY_PATH(int, stat64, "stat", -1, (const char *path, struct stat64 *found), path, found)
BY_PATH(int, lstat, "stat", -1, (const char *path, struct stat *found), path, found)
BY_PATH(int, lstat64, "stat", -1, (const char *path, struct stat64 *found), path, found)
BY_FILE(int, fstat, "stat", -1, (int file, struct stat *found), file, found)
BY_FILE(int, fstat64, "stat", -1, (int file, struct stat64 *found), file, found)
BY_FILE(
    void *, mmap, "map", (void *)-1,
    (void *start, size_t size, int protection, int flags, int file, off_t at), start, size, protection, flags, file, at)
BY_FILE(
    void *, mmap64, "map", (void *)-1,
    (void *start, size_t size, int protection, int flags, int file, off64_t at), start, size, protection, flags, file, at)

/* Programs that were built for a C library before 2.33, as DuckDB's wheels are, call these. */
BY_PATH(int, __xstat, "stat", -1, (int version, const char *path, struct stat *found), version, path, found)
BY_PATH(int, __xstat64, "stat", -1, (int version, const char *path, struct stat64 *found), version, path, found)
BY_PATH(int, __lxstat, "stat", -1, (int version, const char *path, struct stat *found), version, path, found)
BY_PATH(int, __lxstat64, "stat", -1, (int version, const char *path, struct stat64 *found), version, path, found)
BY_FILE(int, __fxstat, "stat", -1, (int version, int file, struct stat *found), version, file, found)
BY_FILE(int, __fxstat64, "stat", -1, (int version, int file, struct stat64 *found), version, file, found)

/* With a folder's descriptor, Python calls these. */
#define AT(name, call, parameters, ...) \
    int name parameters { \
        static int(*real) parameters; \
        if (!real) real = (int(*) parameters)dlsym(RTLD_NEXT, #name); \
        int fails = path[0] == '/' ? path_fails(call, path) : file_fails(call, at); \
        return fails ? -1 : real(__VA_ARGS__); \
    }
AT(renameat, "rename", (int at, const char *path, int to, const char *target), at, path, to, target)
AT(linkat, "link", (int at, const char *path, int to, const char *target, int flags), at, path, to, target, flags)
AT(unlinkat, "unlink", (int at, const char *path, int flags), at, path, flags)
AT(mkdirat, "mkdir", (int at, const char *path, mode_t mode), at, path, mode)
AT(faccessat, "access", (int at, const char *path, int mode, int flags), at, path, mode, flags)
AT(fstatat, "stat", (int at, const char *path, struct stat *found, int flags), at, path, found, flags)
AT(fstatat64, "stat", (int at, const char *path, struct stat64 *found, int flags), at, path, found, flags)

int close(int file) {
    REAL(int, close, int);
    int fails = file_fails("close", file), error = errno, result = real(file);
    if (fails) errno = error;
    return fails ? -1 : result;
}
