// Loaded before a program's own libraries: its wall clock is off by as many seconds as the file in CLOCK_OFF says, now.
// Clocks that nobody sets go on as they are.
#define _GNU_SOURCE
#include <stdlib.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long off(void) {
    static int file = -1;
    if (file < 0) {
        const char *path = getenv("CLOCK_OFF");
        file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    }
    char text[32] = {0};
    return file >= 0 && pread(file, text, sizeof text - 1, 0) > 0 ? strtol(text, 0, 10) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    int result = syscall(SYS_clock_gettime, clock, at);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) at->tv_sec += off();
    return result;
}

int gettimeofday(struct timeval *at, void *zone) {
    (void)zone;
    struct timespec now;
    int result = clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return result;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
