/*
 * A closed loop over TCP: each active connection sends a message, waits until all of
 * it is back, and sends the next. Others may be open and idle beside them; each of
 * all has had one echo, so the server has accepted it. With no active ones, it only
 * holds them open between "go" and its end.
 *
 * usage: tcp_load PORT ACTIVE IDLE SIZE WARM_UP_S SECONDS
 */
#define _GNU_SOURCE
#include <sys/epoll.h>
#include <unistd.h>

#include "address.h"
#include "pattern.h"

#define BATCH 256
#define HELLO_BYTES 64

struct connection {
    int fd;
    int is_active;
    int waits_to_send;
    size_t sent, back;
    uint64_t n; /* of the message in flight */
    int64_t begun_ns;
};

static char buffer[256 * 1024];
static struct connection *connections;
static size_t total, size;
static int epoll;

static void watch(struct connection *c, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (epoll_ctl(epoll, operation, c->fd, &event))
        fail("load: epoll_ctl (%s)", strerror(errno));
}

static const char *message(const struct connection *c)
{
    return payload((uint64_t)(c - connections), c->n);
}

/* Open it, and have one echo. */
static void open_one(struct connection *c, int port)
{
    size_t back = 0;
    c->fd = stream_from((int)(c - connections), 0);
    set_time_limit(c->fd, SO_RCVTIMEO, PATIENCE_NS);
    set_time_limit(c->fd, SO_SNDTIMEO, PATIENCE_NS);
    if (connect_to(c->fd, port))
        fail("connection %zd is refused (%s)", c - connections, strerror(errno));
    if (send(c->fd, message(c), HELLO_BYTES, MSG_NOSIGNAL) != HELLO_BYTES)
        fail("connection %zd takes nothing (%s)", c - connections, strerror(errno));
    while (back < HELLO_BYTES) {
        ssize_t n = recv(c->fd, buffer, HELLO_BYTES - back, 0);
        if (n <= 0)
            fail("connection %zd is not answered within 5 s", c - connections);
        if (memcmp(buffer, message(c) + back, (size_t)n))
            fail("other bytes came back than were sent");
        back += (size_t)n;
    }
    watch(c, EPOLL_CTL_ADD, EPOLLIN);
}

static void send_rest(struct connection *c)
{
    ssize_t n = send(c->fd, message(c) + c->sent, size - c->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN)
        fail("a connection was lost (%s)", strerror(errno));
    c->sent += n > 0 ? (size_t)n : 0;
    int waits = c->sent < size;
    if (waits != c->waits_to_send) {
        c->waits_to_send = waits;
        watch(c, EPOLL_CTL_MOD, waits ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
}

static void start_next(struct connection *c, int64_t at_ns)
{
    c->n++;
    c->sent = c->back = 0;
    c->begun_ns = at_ns;
    send_rest(c);
}

/* Take what is there; whether the message is complete. */
static int is_complete_after(struct connection *c)
{
    ssize_t n = recv(c->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n <= 0)
        fail("a connection was closed by the server");
    if (!c->is_active || c->back + (size_t)n > c->sent)
        fail("more came back than was sent");
    if (memcmp(buffer, message(c) + c->back, (size_t)n))
        fail("other bytes came back than were sent");
    c->back += (size_t)n;
    return c->back == size;
}

static void run(struct seen *seen, int64_t duration_ns)
{
    struct epoll_event events[BATCH];
    size_t in_flight = 0;
    begin(seen, duration_ns);
    int64_t last_ns = seen->begin_ns;
    for (size_t i = 0; i < total; i++) {
        if (connections[i].is_active) {
            in_flight++;
            start_next(&connections[i], now_ns());
        }
    }
    while (in_flight > 0) {
        int n = epoll_wait(epoll, events, BATCH, 100);
        int64_t at_ns = now_ns();
        if (n > 0)
            last_ns = at_ns;
        else if (at_ns - last_ns > PATIENCE_NS)
            fail("nothing came back for 5 s; %zu messages are missing", in_flight);
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (events[i].events & ~(uint32_t)EPOLLOUT && is_complete_after(c)) {
                at_ns = now_ns();
                answered(seen, c->begun_ns, at_ns);
                if (at_ns < seen->deadline_ns)
                    start_next(c, at_ns);
                else
                    in_flight--;
            } else if (c->waits_to_send)
                send_rest(c);
        }
    }
}

int main(int argc, char **argv)
{
    static struct seen seen;
    if (argc != 7) {
        fprintf(stderr, "usage: tcp_load PORT ACTIVE IDLE SIZE WARM_UP_S SECONDS\n");
        return 2;
    }
    size_t active = (size_t)atol(argv[2]);
    total = active + (size_t)atol(argv[3]);
    size = (size_t)atol(argv[4]);
    raise_descriptors();
    make_pattern(size + HELLO_BYTES);
    epoll = epoll_create1(0);
    connections = calloc(total, sizeof *connections);
    for (size_t i = 0; i < total; i++)
        open_one(&connections[i], atoi(argv[1]));
    /* Spread over all: a server may find the latest ones faster. */
    for (size_t i = 0; i < active; i++)
        connections[i * total / active].is_active = 1;
    run(&seen, seconds_ns(atof(argv[5])));
    go();
    run(&seen, seconds_ns(atof(argv[6])));
    tell(&seen);
}
