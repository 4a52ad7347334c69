/*
 * A window of datagrams: so many are in flight at any time. One that is not back
 * within 0.2 s counts as lost, and another takes its place; if it comes back after
 * all it also counts as late. Each carries a number of its own.
 *
 * usage: udp_load PORT WINDOW SIZE WARM_UP_S SECONDS
 */
#define _GNU_SOURCE
#include <unistd.h>

#include "address.h"
#include "pattern.h"

#define MOST 64
#define LOSS_NS (SECOND_NS / 5)

static struct slot {
    uint64_t number; /* its remainder by the window is the slot */
    int is_in_flight;
    int64_t begun_ns;
} slots[MOST];

static char buffers[MOST][65536];
static struct iovec in_parts[MOST], out_parts[MOST][2];
static struct mmsghdr in[MOST], out[MOST];
static unsigned window, outgoing;
static size_t size;
static int fd;

static void prepare(unsigned i, int64_t at_ns)
{
    struct slot *slot = &slots[i];
    struct iovec *parts = out_parts[outgoing];
    slot->number += window;
    slot->is_in_flight = 1;
    slot->begun_ns = at_ns;
    parts[0] = (struct iovec){&slot->number, sizeof slot->number};
    parts[1] = (struct iovec){(void *)payload(0, slot->number), size - sizeof slot->number};
    out[outgoing].msg_hdr = (struct msghdr){.msg_iov = parts, .msg_iovlen = 2};
    outgoing++;
}

static void send_prepared(void)
{
    /* What the system does not take is lost, and will be seen to be. */
    for (unsigned sent = 0; sent < outgoing;) {
        int n = sendmmsg(fd, out + sent, outgoing - sent, 0);
        sent += n > 0 ? (unsigned)n : 1;
    }
    outgoing = 0;
}

/* The slot of a datagram; NULL if it is late. */
static struct slot *slot_of(const char *datagram, size_t length)
{
    uint64_t number;
    if (length != size)
        fail("a datagram of %zu bytes came back as %zu", size, length);
    memcpy(&number, datagram, sizeof number);
    if (memcmp(datagram + sizeof number, payload(0, number), size - sizeof number))
        fail("other bytes came back than were sent");
    struct slot *slot = &slots[number % window];
    return slot->is_in_flight && slot->number == number ? slot : NULL;
}

static void look_for_lost(struct seen *seen, int64_t at_ns)
{
    for (unsigned i = 0; i < window; i++) {
        if (slots[i].is_in_flight && at_ns - slots[i].begun_ns > LOSS_NS) {
            slots[i].is_in_flight = 0;
            seen->lost++;
        }
    }
}

static void fill_window(int64_t at_ns)
{
    for (unsigned i = 0; i < window; i++)
        if (!slots[i].is_in_flight)
            prepare(i, at_ns);
    send_prepared();
}

static int is_any_in_flight(void)
{
    for (unsigned i = 0; i < window; i++)
        if (slots[i].is_in_flight)
            return 1;
    return 0;
}

static void take_all(struct seen *seen, int n, int64_t at_ns)
{
    for (int i = 0; i < n; i++) {
        struct slot *slot = slot_of(buffers[i], in[i].msg_len);
        if (slot == NULL) {
            seen->late++;
        } else {
            answered(seen, slot->begun_ns, at_ns);
            slot->is_in_flight = 0;
        }
    }
}

static void run(struct seen *seen, int64_t duration_ns)
{
    begin(seen, duration_ns);
    int64_t checked_ns = seen->begin_ns, last_ns = seen->begin_ns, at_ns = seen->begin_ns;
    fill_window(at_ns);
    while (is_any_in_flight()) {
        int n = recvmmsg(fd, in, window, MSG_WAITFORONE, NULL);
        at_ns = now_ns();
        if (n > 0) {
            take_all(seen, n, at_ns);
            last_ns = at_ns;
        } else if (at_ns - last_ns > PATIENCE_NS)
            fail("no datagram came back for 5 s");
        if (at_ns - checked_ns > LOSS_NS / 4) {
            checked_ns = at_ns;
            look_for_lost(seen, at_ns);
        }
        if (at_ns < seen->deadline_ns || (seen->latency.total == 0 && seen->late == 0))
            fill_window(at_ns);
    }
}

static void open_socket(int port)
{
    int room = 8 * 1024 * 1024;
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    /* The answers must have room, or the load itself would lose them. */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room))
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room))
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    set_time_limit(fd, SO_RCVTIMEO, LOSS_NS / 4);
    if (connect_to(fd, port))
        fail("load: cannot connect (%s)", strerror(errno));
}

int main(int argc, char **argv)
{
    static struct seen seen;
    if (argc != 6) {
        fprintf(stderr, "usage: udp_load PORT WINDOW SIZE WARM_UP_S SECONDS\n");
        return 2;
    }
    window = (unsigned)atoi(argv[2]);
    size = (size_t)atol(argv[3]);
    if (window < 1 || window > MOST || size < sizeof(uint64_t) || size > 65507) {
        fprintf(stderr, "udp_load: want WINDOW 1 to %d, SIZE 8 to 65507\n", MOST);
        return 2;
    }
    make_pattern(size);
    for (unsigned i = 0; i < window; i++) {
        slots[i].number = i;
        in_parts[i] = (struct iovec){buffers[i], sizeof buffers[i]};
        in[i].msg_hdr = (struct msghdr){.msg_iov = &in_parts[i], .msg_iovlen = 1};
    }
    open_socket(atoi(argv[1]));
    run(&seen, seconds_ns(atof(argv[4])));
    go();
    run(&seen, seconds_ns(atof(argv[5])));
    tell(&seen);
}
