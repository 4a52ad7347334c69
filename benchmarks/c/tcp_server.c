/*
 * The reference for TCP: what an echo costs in C. Level-triggered epoll, one thread,
 * one buffer for all. What the kernel does not take is kept, and nothing more is read
 * from that connection until it is gone.
 *
 * usage: tcp_server PORT
 */
#define _GNU_SOURCE
#include <sys/epoll.h>
#include <unistd.h>

#include "address.h"

#define MOST_CONNECTIONS 65536
#define BATCH 256

/* What a connection is owed; the room for it is kept until the connection ends. */
static struct owed {
    char *bytes;
    size_t from, to;
} owed[MOST_CONNECTIONS];

static char buffer[256 * 1024];
static int epoll;

static void watch(int operation, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(epoll, operation, fd, &event)) {
        perror("tcp_server: epoll_ctl");
        exit(1);
    }
}

static void end(int fd)
{
    free(owed[fd].bytes);
    owed[fd] = (struct owed){0};
    close(fd);
}

static void accept_all(int listener)
{
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (fd >= MOST_CONNECTIONS) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        watch(EPOLL_CTL_ADD, fd, EPOLLIN);
    }
}

/* How much of some bytes the kernel took; less than 0 and the connection is lost. */
static ssize_t give(int fd, const char *bytes, size_t size)
{
    size_t given = 0;
    while (given < size) {
        ssize_t n = send(fd, bytes + given, size - given, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? (ssize_t)given : -1;
        given += (size_t)n;
    }
    return (ssize_t)given;
}

static void keep(int fd, const char *bytes, size_t size)
{
    struct owed *debt = &owed[fd];
    if (debt->bytes == NULL)
        debt->bytes = malloc(sizeof buffer);
    memcpy(debt->bytes, bytes, size);
    debt->from = 0;
    debt->to = size;
    watch(EPOLL_CTL_MOD, fd, EPOLLOUT);
}

static void pay(int fd)
{
    struct owed *debt = &owed[fd];
    ssize_t n = give(fd, debt->bytes + debt->from, debt->to - debt->from);
    if (n < 0) {
        end(fd);
        return;
    }
    debt->from += (size_t)n;
    if (debt->from == debt->to)
        watch(EPOLL_CTL_MOD, fd, EPOLLIN);
}

static void echo(int fd)
{
    ssize_t size = recv(fd, buffer, sizeof buffer, 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    ssize_t given = size > 0 ? give(fd, buffer, (size_t)size) : -1;
    if (given < 0)
        end(fd);
    else if (given < size)
        keep(fd, buffer + given, (size_t)(size - given));
}

static int listen_on(int port)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in here = loopback(1, port);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&here, sizeof here) || listen(fd, 4096)) {
        perror("tcp_server: bind or listen");
        exit(1);
    }
    return fd;
}

int main(int argc, char **argv)
{
    struct epoll_event events[BATCH];
    if (argc != 2) {
        fprintf(stderr, "usage: tcp_server PORT\n");
        return 2;
    }
    raise_descriptors();
    epoll = epoll_create1(0);
    int listener = listen_on(atoi(argv[1]));
    watch(EPOLL_CTL_ADD, listener, EPOLLIN);
    for (;;) {
        int n = epoll_wait(epoll, events, BATCH, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listener)
                accept_all(listener);
            else if (owed[fd].from < owed[fd].to)
                pay(fd);
            else
                echo(fd);
        }
    }
}
