/*
 * Connections that connect, have one message echoed, and close. Either so many at a
 * time, one after the other, until the time is over (AT_ONCE, TOTAL 0); or TOTAL of
 * them, all begun at once. Latency is from its begin, before connect(2), to the whole echo.
 *
 * usage: connect_load PORT AT_ONCE TOTAL SIZE WARM_UP_S SECONDS
 */
#define _GNU_SOURCE
#include <sys/epoll.h>
#include <unistd.h>

#include "address.h"
#include "pattern.h"

#define BATCH 256
/* A SYN that is dropped is sent again after 1, 3, 7 s: wait for the third. */
#define SYN_PATIENCE_NS (5 * SECOND_NS)

struct connection {
    int fd;
    int has_sent;
    size_t back;
    uint64_t n;
    int64_t begun_ns;
};

static char buffer[65536];
static struct connection *connections;
static size_t total, size;
static uint64_t begun;
static int epoll, port;

static const char *message(const struct connection *c)
{
    return payload(0, c->n);
}

static void start(struct connection *c)
{
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = c};
    *c = (struct connection){.n = begun++, .begun_ns = now_ns()};
    c->fd = stream_from((int)c->n, SOCK_NONBLOCK);
    /* An error that comes at once is told by epoll as well. */
    (void)!connect_to(c->fd, port);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event))
        fail("load: epoll_ctl (%s)", strerror(errno));
}

static void stop(struct connection *c)
{
    close(c->fd);
    c->fd = -1;
}

enum state { WAITING, DONE, LOST };

static enum state send_message(struct connection *c)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (send(c->fd, message(c), size, MSG_NOSIGNAL) != (ssize_t)size)
        return LOST;
    c->has_sent = 1;
    epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &event);
    return WAITING;
}

static enum state take(struct connection *c)
{
    ssize_t n = recv(c->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return WAITING;
    if (n <= 0)
        return LOST;
    if (c->back + (size_t)n > size)
        fail("more came back than was sent");
    if (memcmp(buffer, message(c) + c->back, (size_t)n))
        fail("other bytes came back than were sent");
    c->back += (size_t)n;
    return c->back == size ? DONE : WAITING;
}

static void give_up(struct seen *seen, size_t at_once)
{
    for (size_t i = 0; i < at_once; i++) {
        if (connections[i].fd >= 0) {
            seen->lost++;
            stop(&connections[i]);
        }
    }
}

static void run(struct seen *seen, size_t at_once, int64_t duration_ns)
{
    struct epoll_event events[BATCH];
    size_t in_flight = at_once;
    begin(seen, total ? 0 : duration_ns);
    int64_t last_ns = seen->begin_ns;
    for (size_t i = 0; i < at_once; i++)
        start(&connections[i]);
    while (in_flight > 0) {
        int n = epoll_wait(epoll, events, BATCH, 100);
        int64_t at_ns = now_ns();
        if (n > 0)
            last_ns = at_ns;
        else if (at_ns - last_ns > SYN_PATIENCE_NS) {
            give_up(seen, at_once);
            return;
        }
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            enum state state = c->has_sent ? take(c) : send_message(c);
            if (state == WAITING)
                continue;
            at_ns = now_ns();
            if (state == DONE)
                answered(seen, c->begun_ns, at_ns);
            else
                seen->lost++;
            stop(c);
            if (total == 0 && at_ns < seen->deadline_ns)
                start(c);
            else
                in_flight--;
        }
    }
}

int main(int argc, char **argv)
{
    static struct seen seen;
    if (argc != 7) {
        fprintf(stderr, "usage: connect_load PORT AT_ONCE TOTAL SIZE WARM_UP_S SECONDS\n");
        return 2;
    }
    port = atoi(argv[1]);
    size_t at_once = (size_t)atol(argv[2]);
    total = (size_t)atol(argv[3]);
    size = (size_t)atol(argv[4]);
    raise_descriptors();
    make_pattern(size);
    epoll = epoll_create1(0);
    connections = calloc(at_once > total ? at_once : total, sizeof *connections);
    size_t burst = total;
    total = 0; /* Warm up one after the other in any case. */
    run(&seen, burst ? 1 : at_once, seconds_ns(atof(argv[5])));
    total = burst;
    go();
    run(&seen, burst ? burst : at_once, seconds_ns(atof(argv[6])));
    tell(&seen);
}
