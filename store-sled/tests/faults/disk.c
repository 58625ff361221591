/* A disk that can lose power and fail, for tests: preloaded into a process, for the files below STORE_DISK_ROOT.
 *
 * Power loss. STORE_DISK_SHADOW is a folder that advances only when the process really syncs:
 *   inode.N    the content of the file with inode number N, as of its last fsync or fdatasync
 *   folder.N   the names in the folder with inode number N, as of its last fsync: lines "type inode name"
 *   root       the inode number of the root, written by whoever starts the process
 * sync_file_range changes nothing: it neither flushes the device's cache nor makes the size of the file durable. A file that
 * is removed is kept open, so that its inode number does not come again.
 *
 * Failure. STORE_DISK_FAIL = "write N ERRNO" or "sync N ERRNO": the N-th such call and all later ones fail. With 0 for ERRNO the
 * process is killed instead of the N-th call.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *root, *shadow;
static char fail_what[16];
static long fail_at, fail_errno, writes, syncs;

#define REAL(type, name, ...) static type (*real_##name)(__VA_ARGS__)
REAL(ssize_t, write, int, const void *, size_t);
REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t);
REAL(int, fsync, int);
REAL(int, fdatasync, int);
REAL(int, unlink, const char *);
REAL(int, rename, const char *, const char *);
REAL(int, sync_file_range, int, off64_t, off64_t, unsigned int);

static void *find(const char *name) {
    void *symbol = dlsym(RTLD_NEXT, name);
    if (!symbol) abort();
    return symbol;
}

__attribute__((constructor)) static void start(void) {
    real_write = find("write");
    real_pwrite64 = find("pwrite64");
    real_fsync = find("fsync");
    real_fdatasync = find("fdatasync");
    real_unlink = find("unlink");
    real_rename = find("rename");
    real_sync_file_range = find("sync_file_range");
    root = getenv("STORE_DISK_ROOT");
    shadow = getenv("STORE_DISK_SHADOW");
    const char *fail = getenv("STORE_DISK_FAIL");
    if (fail && sscanf(fail, "%15s %ld %ld", fail_what, &fail_at, &fail_errno) != 3) abort();
}

static int ours(int fd, char *path, size_t size) {
    if (!root) return 0;
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, size - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return strncmp(path, root, strlen(root)) == 0;
}

/* Whether this call is to fail. */
static int fails(const char *what, long *count) {
    if (!fail_at || strcmp(what, fail_what)) return 0;
    if (__atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST) < fail_at) return 0;
    if (!fail_errno) kill(getpid(), SIGKILL);
    errno = (int)fail_errno;
    return 1;
}

static void keep(const char *path) {
    if (root && shadow && strncmp(path, root, strlen(root)) == 0) (void)open(path, O_RDONLY | O_CLOEXEC);
}

static int replace(char *temporary, const char *kind, unsigned long inode) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.%lu", shadow, kind, inode);
    return real_rename(temporary, path);
}

static int save_folder(const char *path, unsigned long inode) {
    char temporary[4096], name[8192];
    snprintf(temporary, sizeof temporary, "%s/temporary", shadow);
    FILE *out = fopen(temporary, "w");
    DIR *folder = opendir(path);
    if (!out || !folder) return -1;
    for (struct dirent *entry; (entry = readdir(folder));) {
        struct stat st;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (stat(name, &st)) continue;
        fprintf(out, "%c %lu %s\n", S_ISDIR(st.st_mode) ? 'd' : 'f', (unsigned long)st.st_ino, entry->d_name);
    }
    closedir(folder);
    return fclose(out) ? -1 : replace(temporary, "folder", inode);
}

static int save_file(const char *path, unsigned long inode) {
    char temporary[4096];
    static char buffer[1 << 16];
    snprintf(temporary, sizeof temporary, "%s/temporary", shadow);
    int in = open(path, O_RDONLY | O_CLOEXEC), out = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (in < 0 || out < 0) return -1;
    for (ssize_t n; (n = read(in, buffer, sizeof buffer)) > 0;)
        if (real_write(out, buffer, (size_t)n) != n) return -1;
    close(in);
    close(out);
    return replace(temporary, "inode", inode);
}

static int save(int fd) {
    char path[4096], self[64];
    struct stat st;
    if (!shadow || !ours(fd, path, sizeof path) || fstat(fd, &st)) return 0;
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    pthread_mutex_lock(&lock);
    int result = S_ISDIR(st.st_mode) ? save_folder(path, st.st_ino) : save_file(self, st.st_ino);
    pthread_mutex_unlock(&lock);
    return result;
}

static int synced(int fd, int (*real)(int)) {
    char path[4096];
    if (ours(fd, path, sizeof path) && fails("sync", &syncs)) return -1;
    if (!shadow) return real(fd);
    return save(fd);
}

int fsync(int fd) { return synced(fd, real_fsync); }
int fdatasync(int fd) { return synced(fd, real_fdatasync); }

int sync_file_range(int fd, off64_t offset, off64_t length, unsigned int flags) {
    if (shadow) return 0;
    return real_sync_file_range(fd, offset, length, flags);
}

ssize_t write(int fd, const void *data, size_t size) {
    char path[4096];
    if (fail_at && ours(fd, path, sizeof path) && fails("write", &writes)) return -1;
    return real_write(fd, data, size);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
    char path[4096];
    if (fail_at && ours(fd, path, sizeof path) && fails("write", &writes)) return -1;
    return real_pwrite64(fd, data, size, offset);
}

ssize_t pwrite(int fd, const void *data, size_t size, off64_t offset) { return pwrite64(fd, data, size, offset); }

int unlink(const char *path) {
    keep(path);
    return real_unlink(path);
}

int rename(const char *from, const char *to) {
    keep(to);
    return real_rename(from, to);
}
