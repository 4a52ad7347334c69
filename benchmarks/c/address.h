/* The server, which is on 127.0.0.1, and where its clients come from. */
#pragma once
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "harness.h"

/* A source address has some 28,000 ports, and each is lost to TIME_WAIT for a minute. The
 * first address is 127.0.0.1, because some servers look up the name of any other. */
#define SOURCES 64
#define CONNECTIONS_OF_A_SOURCE 16384

static inline struct sockaddr_in loopback(int last_byte, int port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + (uint32_t)last_byte),
    };
}

/* A TCP socket for the nth connection of all, with flags as for socket(2). */
static inline int stream_from(int n, int flags)
{
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | flags, 0);
    struct sockaddr_in source = loopback(1 + n / CONNECTIONS_OF_A_SOURCE % SOURCES, 0);
    if (fd < 0)
        fail("load: no more sockets (%s)", strerror(errno));
    /* Two connections may share a port if their far ends differ: choose it late. */
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&source, sizeof source))
        fail("load: cannot bind (%s)", strerror(errno));
    return fd;
}

static inline int connect_to(int fd, int port)
{
    struct sockaddr_in server = loopback(1, port);
    return connect(fd, (struct sockaddr *)&server, sizeof server);
}

static inline void set_time_limit(int fd, int option, int64_t limit_ns)
{
    struct timeval limit = {
        .tv_sec = limit_ns / SECOND_NS,
        .tv_usec = limit_ns % SECOND_NS / 1000,
    };
    setsockopt(fd, SOL_SOCKET, option, &limit, sizeof limit);
}
