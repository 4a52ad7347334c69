/*
 * What is sent: bytes that look random, read from a place that differs from message
 * to message. So a byte that is lost, doubled, moved, or another connection's is seen.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define PLACES 4096

static char *pattern;

/* Make room for messages of up to size bytes. */
static inline void make_pattern(size_t size)
{
    uint64_t state = 88172645463325252ULL; /* Source: Marsaglia, "Xorshift RNGs" */
    pattern = malloc(size + PLACES);
    for (size_t i = 0; i < size + PLACES; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        pattern[i] = (char)(state >> 32);
    }
}

/* The payload of a connection's nth message. */
static inline const char *payload(uint64_t connection, uint64_t n)
{
    return pattern + (connection * 37 + n * 101) % PLACES;
}
