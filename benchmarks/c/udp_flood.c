/*
 * Datagrams as fast as they can be sent, for answers that nobody reads.
 *
 * usage: udp_flood PORT SIZE SECONDS
 */
#define _GNU_SOURCE
#include <unistd.h>

#include "address.h"
#include "pattern.h"

#define BATCH 64

int main(int argc, char **argv)
{
    static struct seen seen;
    static struct mmsghdr out[BATCH];
    if (argc != 4) {
        fprintf(stderr, "usage: udp_flood PORT SIZE SECONDS\n");
        return 2;
    }
    size_t size = (size_t)atol(argv[2]);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in server = loopback(1, atoi(argv[1]));
    make_pattern(size);
    struct iovec part = {pattern, size};
    for (int i = 0; i < BATCH; i++)
        out[i].msg_hdr = (struct msghdr){&server, sizeof server, &part, 1, NULL, 0, 0};
    /* The probe is on the same core: its wait for that core is not the server's. */
    if (nice(10) == -1)
        fail("load: cannot be nice");
    go();
    begin(&seen, 0);
    int64_t deadline_ns = seen.begin_ns + seconds_ns(atof(argv[3]));
    while (seen.end_ns < deadline_ns) {
        int n = sendmmsg(fd, out, BATCH, 0);
        seen.latency.total += n > 0 ? n : 0;
        seen.end_ns = now_ns();
    }
    tell(&seen);
}
