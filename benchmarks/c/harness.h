/*
 * The talk with the harness. A program that is warm says "go" and waits for a line;
 * it measures, says what it saw in a line of JSON, waits for a line again and ends.
 * In between the harness reads what the server has used up. What goes wrong is told
 * as {"failed": "reason"}.
 */
#pragma once
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "clock.h"
#include "histogram.h"

/* A server that gives no sign of life for so long has failed. */
#define PATIENCE_NS (5 * SECOND_NS)

struct seen {
    struct histogram latency;
    int64_t begin_ns, deadline_ns, end_ns, busy_ns;
    int64_t timely, lost, late;
};

__attribute__((noreturn, format(printf, 1, 2))) static inline void fail(const char *reason, ...)
{
    va_list values;
    va_start(values, reason);
    printf("{\"failed\": \"");
    vprintf(reason, values);
    printf("\"}\n");
    va_end(values);
    exit(1);
}

static inline void wait_for_line(void)
{
    char line[64];
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL)
        exit(1); /* The harness is gone. */
}

static inline void go(void)
{
    puts("go");
    wait_for_line();
}

static inline int64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * SECOND_NS + t.tv_nsec;
}

/* Begin to count. What is under way at the deadline is finished; with a duration of
 * 0 there is no deadline. */
static inline void begin(struct seen *seen, int64_t duration_ns)
{
    memset(seen, 0, sizeof *seen);
    seen->busy_ns = -cpu_ns();
    seen->begin_ns = seen->end_ns = now_ns();
    seen->deadline_ns = duration_ns ? seen->begin_ns + duration_ns : INT64_MAX;
}

static inline void answered(struct seen *seen, int64_t begun_ns, int64_t at_ns)
{
    record(&seen->latency, at_ns - begun_ns);
    seen->end_ns = at_ns;
    seen->timely += at_ns <= seen->deadline_ns;
}

/* Tell all, and wait for leave to go: until then the server is left in peace. */
static inline void tell(struct seen *seen)
{
    int64_t busy_ns = seen->busy_ns + cpu_ns(), passed_ns = now_ns() - seen->begin_ns;
    int64_t end_ns = seen->deadline_ns < INT64_MAX ? seen->deadline_ns : seen->end_ns;
    const struct histogram *h = &seen->latency;
    printf("{\"messages\": %lld, \"timely\": %lld, \"elapsed_s\": %.6f, \"load_share\": %.3f, ",
           (long long)h->total, (long long)seen->timely, (double)(end_ns - seen->begin_ns) / 1e9,
           (double)busy_ns / (double)passed_ns);
    printf("\"lost\": %lld, \"late\": %lld, ", (long long)seen->lost, (long long)seen->late);
    printf("\"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f}\n",
           percentile_us(h, 0.5), percentile_us(h, 0.99), percentile_us(h, 0.999),
           (double)h->max_ns / 1e3);
    wait_for_line();
}

/* As many descriptors as the system lets this process have. */
static inline void raise_descriptors(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}
