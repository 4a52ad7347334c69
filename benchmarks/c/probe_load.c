/*
 * A few messages a second over one TCP connection, on a schedule that the answers do
 * not change. Latency is from the time at which a message was due, so a server that
 * stands still is seen by every message that was due meanwhile. How late the probe
 * itself was is in it too.
 *
 * usage: probe_load PORT RATE_PER_S SIZE SECONDS
 */
#define _GNU_SOURCE
#include <poll.h>
#include <unistd.h>

#include "address.h"
#include "pattern.h"

static char buffer[65536];
static size_t size, back; /* bytes of the oldest message that are back */
static uint64_t sent, complete;
static int64_t interval_ns, first_ns;
static int fd;

static int64_t due_ns(uint64_t n)
{
    return first_ns + (int64_t)n * interval_ns;
}

static void send_one(void)
{
    if (send(fd, payload(0, sent), size, MSG_NOSIGNAL) != (ssize_t)size)
        fail("the connection was lost (%s)", strerror(errno));
    sent++;
}

static void take(struct seen *seen)
{
    ssize_t n = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0)
        fail("the connection was closed by the server");
    for (ssize_t at = 0; at < n;) {
        size_t part = size - back < (size_t)(n - at) ? size - back : (size_t)(n - at);
        if (complete >= sent || memcmp(buffer + at, payload(0, complete) + back, part))
            fail("other bytes came back than were sent");
        at += (ssize_t)part;
        back += part;
        if (back == size) {
            answered(seen, due_ns(complete), now_ns());
            back = 0;
            complete++;
        }
    }
}

static void run(struct seen *seen, uint64_t total)
{
    struct pollfd waited = {.fd = fd, .events = POLLIN};
    int64_t last_ns;
    sent = complete = 0;
    begin(seen, 0);
    first_ns = last_ns = seen->begin_ns;
    while (complete < total) {
        int64_t at_ns = now_ns();
        while (sent < total && due_ns(sent) <= at_ns)
            send_one();
        int64_t left_ns = sent < total ? due_ns(sent) - at_ns : SECOND_NS / 10;
        struct timespec left = {.tv_nsec = left_ns < SECOND_NS ? left_ns : SECOND_NS - 1};
        if (ppoll(&waited, 1, &left, NULL) > 0) {
            take(seen);
            last_ns = now_ns();
        } else if (now_ns() - last_ns > PATIENCE_NS)
            fail("nothing came back for 5 s");
    }
}

int main(int argc, char **argv)
{
    static struct seen seen;
    if (argc != 5) {
        fprintf(stderr, "usage: probe_load PORT RATE_PER_S SIZE SECONDS\n");
        return 2;
    }
    double rate_per_s = atof(argv[2]);
    size = (size_t)atol(argv[3]);
    interval_ns = seconds_ns(1 / rate_per_s);
    make_pattern(size);
    fd = stream_from(0, 0);
    set_time_limit(fd, SO_SNDTIMEO, PATIENCE_NS);
    if (connect_to(fd, atoi(argv[1])))
        fail("the connection is refused (%s)", strerror(errno));
    run(&seen, 10);
    go();
    run(&seen, (uint64_t)(rate_per_s * atof(argv[4])));
    tell(&seen);
}
