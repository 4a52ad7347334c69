/*
 * The reference for UDP: what an echo costs in plain C. A blocking loop.
 *
 * usage: udp_server PORT
 */
#include "address.h"

static char buffer[65536];

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: udp_server PORT\n");
        return 2;
    }
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in here = loopback(1, atoi(argv[1])), peer;
    if (bind(fd, (struct sockaddr *)&here, sizeof here)) {
        perror("udp_server: bind");
        return 1;
    }
    for (;;) {
        socklen_t length = sizeof peer;
        ssize_t size = recvfrom(fd, buffer, sizeof buffer, 0, (struct sockaddr *)&peer, &length);
        if (size >= 0)
            sendto(fd, buffer, (size_t)size, 0, (struct sockaddr *)&peer, length);
    }
}
