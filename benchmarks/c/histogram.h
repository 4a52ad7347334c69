/*
 * Latencies in nanoseconds, counted log-linearly: below 128 ns exactly, above it in
 * 128 equal parts of each power of two, so a percentile is right within 0.8 %.
 */
#pragma once
#include <stdint.h>

#define PARTS_BITS 7
#define PARTS (1 << PARTS_BITS)

struct histogram {
    int64_t counts[(64 - PARTS_BITS + 1) * PARTS];
    int64_t total;
    int64_t max_ns;
};

static inline int bucket_of(int64_t ns)
{
    if (ns < PARTS)
        return ns < 0 ? 0 : (int)ns;
    int shift = 63 - __builtin_clzll((uint64_t)ns) - PARTS_BITS;
    return (shift + 1) * PARTS + (int)((ns >> shift) - PARTS);
}

/* The largest value that a bucket counts. */
static inline int64_t top_of(int bucket)
{
    if (bucket < PARTS)
        return bucket;
    int shift = bucket / PARTS - 1;
    return ((int64_t)(bucket % PARTS + PARTS + 1) << shift) - 1;
}

static inline void record(struct histogram *h, int64_t ns)
{
    h->counts[bucket_of(ns)]++;
    h->total++;
    if (ns > h->max_ns)
        h->max_ns = ns;
}

/* The value that a share (0 to 1) of all do not exceed, in microseconds; 0 of none. */
static inline double percentile_us(const struct histogram *h, double share)
{
    int64_t wanted = (int64_t)(share * (double)h->total + 0.999999);
    int64_t seen = 0;
    int bucket = 0;
    if (h->total == 0)
        return 0;
    while ((seen += h->counts[bucket]) < wanted)
        bucket++;
    int64_t ns = top_of(bucket);
    return (double)(ns < h->max_ns ? ns : h->max_ns) / 1e3;
}
