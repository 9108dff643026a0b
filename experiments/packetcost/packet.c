/* packet KEY PART udp|tcp NS1 NS2 ADDRESS SIZE COUNT
 *
 * One process with a socket in each of two network namespaces. It sends one datagram and receives it, COUNT
 * times, or writes and reads SIZE bytes of a stream, COUNT times. With one processor and no timer between,
 * the time from before the call that sends to after the call that receives is what all of the path took.
 * PART "both" receives; PART "sender" does not, as the datagrams are dropped where the other host gets them.
 *
 * Prints one line: the least, the median and the mean of these times (ns), how many datagrams were lost, how
 * many bytes were sent and received, and how long two readings of the clock take, which is part of each time.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST 10000
#define PORT 5301

static char buffer[1 << 20];
static long long took[MOST];

static long long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void must(int good, const char *what)
{
    if (good)
        return;
    printf("FAULT packet: ");
    fflush(stdout);
    perror(what);
    exit(1);
}

static void enter(const char *ns)
{
    char path[64];
    snprintf(path, sizeof path, "/run/netns/%s", ns);
    int fd = open(path, O_RDONLY);
    must(fd >= 0 && !setns(fd, CLONE_NEWNET), ns);
    close(fd);
}

static int by_size(const void *a, const void *b)
{
    long long x = *(const long long *)a, y = *(const long long *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    if (argc != 9)
        return 2;
    int tcp = !strcmp(argv[3], "tcp"), size = atoi(argv[7]), count = atoi(argv[8]), one = 1;
    int receives = !strcmp(argv[2], "both"), kind = tcp ? SOCK_STREAM : SOCK_DGRAM;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    must(count > 0 && count <= MOST && size > 0 && size <= (int)sizeof buffer, "size or count");
    must(inet_pton(AF_INET, argv[6], &a.sin_addr) == 1, "address");
    enter(argv[5]);
    int r = socket(AF_INET, kind, 0);
    setsockopt(r, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    must(!bind(r, (void *)&a, sizeof a), "bind");
    if (tcp)
        must(!listen(r, 1), "listen");
    enter(argv[4]);
    int s = socket(AF_INET, kind, 0);
    must(!connect(s, (void *)&a, sizeof a), "connect");
    if (tcp) {
        r = accept(r, 0, 0);
        must(r >= 0, "accept");
        fcntl(s, F_SETFL, O_NONBLOCK);
    }
    fcntl(r, F_SETFL, O_NONBLOCK);

    long long lost = 0, got = 0, sent = 0, sum = 0, clock;
    /* what is slower at first, e.g. a neighbour that must be found, does not count */
    int warm = count / 10 + 20;
    for (int i = -warm; i < count; i++) {
        if (i == 0)
            lost = got = sent = 0;
        ssize_t n;
        long long t0 = now(), t1;
        if (!tcp) {
            must(send(s, buffer, size, 0) == size, "send");
            sent += size;
            t1 = now();
            n = receives ? recv(r, buffer, sizeof buffer, 0) : 0;
            if (n > 0)
                got += n;
            else if (receives)
                lost++;
        } else {
            int left = size;
            while (left > 0) {
                n = send(s, buffer, left, 0);
                if (n < 0)
                    break;
                left -= n;
                sent += n;
            }
            t1 = now();
            while ((n = recv(r, buffer, 131072, 0)) > 0)
                got += n;
        }
        long long t2 = now();
        (void)t1; /* read, so that each part has the same two readings of the clock */
        if (i >= 0)
            took[i] = t2 - t0;
    }
    clock = now();
    clock = now() - clock;
    for (int i = 0; i < count; i++)
        sum += took[i];
    qsort(took, count, sizeof *took, by_size);
    printf("PACKET %s %s count %d least %lld median %lld mean %.1f lost %lld sent %lld got %lld clock %lld\n",
           argv[1], argv[2], count, took[0], took[count / 2], (double)sum / count, lost, sent, got, clock);
    return 0;
}
