/* Time, monotonic. */
#pragma once
#include <stdint.h>
#include <time.h>

#define SECOND_NS 1000000000LL

static inline int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND_NS + t.tv_nsec;
}

/* Seconds as written on the command line. */
static inline int64_t seconds_ns(double seconds)
{
    return (int64_t)(seconds * 1e9);
}
