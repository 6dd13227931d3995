/* A system that refuses: preloaded, it lets calls that read named paths fail, in a process and all that it starts.
 *
 * The file that REFUSING_CONTROL names, mapped by all of them, says what fails; it can be changed while they run, and
 * counts, so that "the third read, whichever process makes it" means something.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OPEN = 1, READ = 2, STAT = 4, LIST = 8 };

static struct control {
    int error;    /* 0: nothing fails */
    int calls;    /* which */
    int skip;     /* so many pass first */
    int times;    /* so many fail then; 0: all */
    int seen;     /* matching calls so far */
    int met;      /* those that failed */
    char pattern[PATH_MAX]; /* of fnmatch, over the whole path */
} *control;

__attribute__((constructor)) static void attach(void) {
    const char *name = getenv("REFUSING_CONTROL");
    int file = name ? (int)syscall(SYS_openat, AT_FDCWD, name, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *place = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (place != MAP_FAILED) control = place;
    syscall(SYS_close, file);
}

static int refused(int call, const char *path) {
    if (fnmatch(control->pattern, path, 0) != 0) return 0;
    int number = __atomic_fetch_add(&control->seen, 1, __ATOMIC_SEQ_CST);
    if (number < control->skip) return 0;
    if (control->times && number >= control->skip + control->times) return 0;
    __atomic_fetch_add(&control->met, 1, __ATOMIC_SEQ_CST);
    errno = control->error;
    (void)call;
    return 1;
}

static int watched(int call) { return control && control->error && (control->calls & call); }

static int path_of(int file, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return 1;
}

static int refused_at(int call, int folder, const char *name) {
    char path[2 * PATH_MAX];
    int before = errno;
    if (!watched(call)) return 0;
    if (!name) name = "";
    if (*name == '/') return refused(call, name);
    if (folder == AT_FDCWD) {
        if (syscall(SYS_getcwd, path, PATH_MAX) < 0) path[0] = 0;
    } else if (!path_of(folder, path)) {
        errno = before;
        return 0;
    }
    if (*name) snprintf(path + strlen(path), PATH_MAX, "/%s", name);
    errno = before;
    return refused(call, path);
}

static int refused_file(int call, int file) {
    char path[PATH_MAX];
    int before = errno;
    if (!watched(call)) return 0;
    if (!path_of(file, path)) {
        errno = before;
        return 0;
    }
    errno = before;
    return refused(call, path);
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

#define READS(flags) (((flags) & O_ACCMODE) == O_RDONLY && !((flags) & O_DIRECTORY))

#define OPENS(name) \
    int name(const char *path, int flags, ...) { \
        va_list rest; va_start(rest, flags); \
        mode_t mode = (flags & (O_CREAT | __O_TMPFILE)) ? va_arg(rest, mode_t) : 0; va_end(rest); \
        if (READS(flags) && refused_at(OPEN, AT_FDCWD, path)) return -1; \
        REAL(int, name, const char *, int, ...); return real(path, flags, mode); }
#define OPENS_AT(name) \
    int name(int folder, const char *path, int flags, ...) { \
        va_list rest; va_start(rest, flags); \
        mode_t mode = (flags & (O_CREAT | __O_TMPFILE)) ? va_arg(rest, mode_t) : 0; va_end(rest); \
        if (READS(flags) && refused_at(OPEN, folder, path)) return -1; \
        REAL(int, name, int, const char *, int, ...); return real(folder, path, flags, mode); }
OPENS(open) OPENS(open64) OPENS_AT(openat) OPENS_AT(openat64)

#define FOPENS(name) \
    FILE *name(const char *path, const char *mode) { \
        if (*mode == 'r' && refused_at(OPEN, AT_FDCWD, path)) return NULL; \
        REAL(FILE *, name, const char *, const char *); return real(path, mode); }
FOPENS(fopen) FOPENS(fopen64)

ssize_t read(int file, void *data, size_t size) {
    if (refused_file(READ, file)) return -1;
    REAL(ssize_t, read, int, void *, size_t); return real(file, data, size);
}
ssize_t readv(int file, const struct iovec *parts, int count) {
    if (refused_file(READ, file)) return -1;
    REAL(ssize_t, readv, int, const struct iovec *, int); return real(file, parts, count);
}
#define PREADS(name, offset_type) \
    ssize_t name(int file, void *data, size_t size, offset_type offset) { \
        if (refused_file(READ, file)) return -1; \
        REAL(ssize_t, name, int, void *, size_t, offset_type); return real(file, data, size, offset); }
PREADS(pread, off_t) PREADS(pread64, off64_t)

#define STATS(name, type) \
    int name(const char *path, struct type *status) { \
        if (refused_at(STAT, AT_FDCWD, path)) return -1; \
        REAL(int, name, const char *, struct type *); return real(path, status); }
STATS(stat, stat) STATS(stat64, stat64) STATS(lstat, stat) STATS(lstat64, stat64)
#define FSTATS(name, type) \
    int name(int file, struct type *status) { \
        if (refused_file(STAT, file)) return -1; \
        REAL(int, name, int, struct type *); return real(file, status); }
FSTATS(fstat, stat) FSTATS(fstat64, stat64)
#define STATS_AT(name, type) \
    int name(int folder, const char *path, struct type *status, int flags) { \
        if (refused_at(STAT, folder, path)) return -1; \
        REAL(int, name, int, const char *, struct type *, int); return real(folder, path, status, flags); }
STATS_AT(fstatat, stat) STATS_AT(fstatat64, stat64)
int statx(int folder, const char *path, int flags, unsigned mask, struct statx *status) {
    if (refused_at(STAT, folder, path)) return -1;
    REAL(int, statx, int, const char *, int, unsigned, struct statx *); return real(folder, path, flags, mask, status);
}

DIR *opendir(const char *path) {
    if (refused_at(LIST, AT_FDCWD, path)) return NULL;
    REAL(DIR *, opendir, const char *); return real(path);
}
DIR *fdopendir(int file) {
    if (refused_file(LIST, file)) return NULL;
    REAL(DIR *, fdopendir, int); return real(file);
}
#define READDIRS(name, type) \
    struct type *name(DIR *folder) { \
        if (refused_file(LIST, dirfd(folder))) return NULL; \
        REAL(struct type *, name, DIR *); return real(folder); }
READDIRS(readdir, dirent) READDIRS(readdir64, dirent64)
