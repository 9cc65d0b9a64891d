/* A disk that breaks: the write number BROKEN_AT (and with BROKEN_FOR_GOOD every later one) to a
   file of the database fails with the error number BROKEN_HOW; loaded with LD_PRELOAD. Where that
   is 0 the process is killed there instead, a large write half done. With BROKEN_READS it is the
   reads of the write-ahead log that are counted, as many as it has frames when it is recovered. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int broken(int file, int reads)
{
    static long calls = 0;
    char link[64], path[4096];
    const char *at = getenv("BROKEN_AT");
    if (at == NULL || reads != (getenv("BROKEN_READS") != NULL)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    if (strstr(path, "crawl.db") == NULL || strstr(path, ".lock") != NULL) return 0;
    if (reads && strstr(path, "-wal") == NULL) return 0;
    long number = __sync_add_and_fetch(&calls, 1);
    if (number < atol(at)) return 0;
    if (number > atol(at) && getenv("BROKEN_FOR_GOOD") == NULL) return 0;
    errno = atoi(getenv("BROKEN_HOW"));
    return 1;
}

static int fails(void)
{
    if (errno == 0) kill(getpid(), SIGKILL);
    return -1;
}

ssize_t pwrite64(int file, const void *data, size_t size, off64_t offset)
{
    static ssize_t (*real)(int, const void *, size_t, off64_t) = NULL;
    if (real == NULL) real = dlsym(RTLD_NEXT, "pwrite64");
    if (!broken(file, 0)) return real(file, data, size, offset);
    if (size > 1024 && (errno == ENOSPC || errno == 0)) {
        int why = errno;
        real(file, data, size / 2, offset); /* a torn write, as a full disk makes them */
        errno = why;
    }
    return fails();
}

ssize_t pwrite(int file, const void *data, size_t size, off_t offset)
{
    return pwrite64(file, data, size, offset);
}

ssize_t pread64(int file, void *data, size_t size, off64_t offset)
{
    static ssize_t (*real)(int, void *, size_t, off64_t) = NULL;
    if (real == NULL) real = dlsym(RTLD_NEXT, "pread64");
    return broken(file, 1) ? fails() : real(file, data, size, offset);
}

ssize_t pread(int file, void *data, size_t size, off_t offset)
{
    return pread64(file, data, size, offset);
}

int fdatasync(int file)
{
    static int (*real)(int) = NULL;
    if (real == NULL) real = dlsym(RTLD_NEXT, "fdatasync");
    return broken(file, 0) ? fails() : real(file);
}

int fsync(int file)
{
    static int (*real)(int) = NULL;
    if (real == NULL) real = dlsym(RTLD_NEXT, "fsync");
    return broken(file, 0) ? fails() : real(file);
}
