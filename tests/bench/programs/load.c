/*
 * A load generator on kernel sockets, in one thread: `load MODE HOST PORT SECONDS CONNECTIONS [PID]`.
 * Prints a line of JSON. HOST is an IPv4 address. Modes:
 *
 *   up, down    bulk to and from a server; the figure counts acknowledged or received bytes
 *   both        bulk to and from an echo server
 *   pingpong    64 bytes there and back on every connection
 *   websocket   the same in binary messages of a WebSocket
 *   crr         connect, 64 bytes there and back, close
 *   beside      64 bytes there and back on one connection to port 7, while CONNECTIONS others
 *               receive bulk from PORT; the figure is the 99th percentile of the time
 *   udp, dns    datagrams of 64 bytes, or queries for host.test; CONNECTIONS are in flight
 *   idle        opens the connections; the figure is the growth of the process PID per connection
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGE = 64, CHUNK = 256 * 1024, AT_ONCE = 64, EVENTS = 256 };
enum { ECHO_PORT = 7 };
enum role { BULK, EXCHANGE };
enum phase { CLOSED, CONNECTING, UPGRADING, OPEN };

/** An upgrade is answered by a head, which ends with an empty line. */
static const char UPGRADE[] =
    "GET / HTTP/1.1\r\nHost: berth.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

struct connection {
  int fd;
  enum role role;
  enum phase phase;
  uint32_t number;
  uint32_t round;
  int received;
  int64_t began;
  unsigned char answer[512];
};

static const char *mode;
static struct sockaddr_in server = {.sin_family = AF_INET};
static int poller, sends, receives, is_websocket, is_single_use;
static struct connection *connections;
static int count;
static unsigned char chunk[CHUNK], scratch[CHUNK];
static uint64_t bulk_bytes, exchanges;
static long mismatches, resets, early_eof, lost, stalled;
static uint32_t *delays;
static size_t delay_count, delay_capacity;

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void fail(const char *what) {
  printf("{\"mode\":\"%s\",\"error\":\"%s: %s\"}\n", mode, what, strerror(errno));
  exit(1);
}

static void watch(struct connection *c, uint32_t events, int operation) {
  struct epoll_event event = {.events = events, .data.ptr = c};
  epoll_ctl(poller, operation, c->fd, &event);
}

static void open_connection(struct connection *c, int port) {
  int one = 1;
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (c->fd < 0) fail("socket");
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct sockaddr_in to = server;
  if (port) to.sin_port = htons(port);
  c->phase = CONNECTING;
  c->received = 0;
  c->began = now();
  if (connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) fail("connect");
  watch(c, EPOLLOUT, EPOLL_CTL_ADD);
}

/** Resets a connection, so that no port stays in TIME-WAIT. */
static void abort_connection(struct connection *c) {
  struct linger linger = {1, 0};
  setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  close(c->fd);
  c->phase = CLOSED;
}

/** The bytes of a connection's round; they differ from those of other rounds. */
static void make_message(struct connection *c, unsigned char *to) {
  uint64_t word = (c->round + 1) * 0x9e3779b97f4a7c15ull ^ c->number;
  for (int i = 0; i < MESSAGE; i++) to[i] = (word >> (8 * (i & 7))) + i;
}

static void send_message(struct connection *c) {
  static const unsigned char mask[4] = {0x3a, 0x91, 0x5c, 0xe7};
  unsigned char out[6 + MESSAGE] = {0x82, 0x80 | MESSAGE};
  unsigned char *message = is_websocket ? out + 6 : out;
  make_message(c, message);
  if (is_websocket) {
    memcpy(out + 2, mask, 4);
    for (int i = 0; i < MESSAGE; i++) message[i] ^= mask[i & 3];
  }
  int length = is_websocket ? 6 + MESSAGE : MESSAGE;
  if (send(c->fd, out, length, MSG_NOSIGNAL) != length) resets++, abort_connection(c);
}

static void note_delay(int64_t nanoseconds) {
  if (delay_count == delay_capacity) {
    delay_capacity = delay_capacity ? delay_capacity * 2 : 1 << 20;
    delays = realloc(delays, delay_capacity * sizeof *delays);
  }
  delays[delay_count++] = nanoseconds;
}

static void begin_round(struct connection *c) {
  c->phase = OPEN;
  c->received = 0;
  if (!is_single_use) c->began = now();
  send_message(c);
}

static void on_connected(struct connection *c) {
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &length);
  if (error) {
    errno = error;
    fail("connect");
  }
  if (c->role == BULK) {
    c->phase = OPEN;
    watch(c, (sends ? EPOLLOUT : 0) | (receives ? EPOLLIN : 0), EPOLL_CTL_MOD);
    return;
  }
  watch(c, EPOLLIN, EPOLL_CTL_MOD);
  if (!is_websocket) return begin_round(c);
  c->phase = UPGRADING;
  send(c->fd, UPGRADE, sizeof UPGRADE - 1, MSG_NOSIGNAL);
}

static void on_answer(struct connection *c) {
  int room = sizeof c->answer - c->received;
  ssize_t got = read(c->fd, c->answer + c->received, room);
  if (got <= 0) {
    if (got < 0 && errno == EAGAIN) return;
    if (got < 0) resets++; else early_eof++;
    return abort_connection(c);
  }
  c->received += got;
  if (c->phase == UPGRADING) {
    if (memmem(c->answer, c->received, "\r\n\r\n", 4)) begin_round(c);
    return;
  }
  int head = is_websocket ? 2 : 0;
  if (c->received < head + MESSAGE) return;
  unsigned char expected[2 + MESSAGE] = {0x82, MESSAGE};
  make_message(c, expected + head);
  if (c->received > head + MESSAGE || memcmp(expected, c->answer, head + MESSAGE)) mismatches++;
  exchanges++;
  note_delay(now() - c->began);
  c->round++;
  if (!is_single_use) return begin_round(c);
  close(c->fd);
  open_connection(c, 0);
}

static void on_bulk(struct connection *c, uint32_t events) {
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
    ssize_t got = read(c->fd, scratch, CHUNK);
    if (got > 0) bulk_bytes += receives ? got : 0;
    else if (got == 0) early_eof++, abort_connection(c);
    else if (errno != EAGAIN) resets++, abort_connection(c);
  }
  if (c->phase == OPEN && (events & EPOLLOUT)) send(c->fd, chunk, CHUNK, MSG_NOSIGNAL);
}

/** Handles events until `end`, or until `is_done` says so. */
static void run(int64_t end, int (*is_done)(void)) {
  struct epoll_event events[EVENTS];
  while (now() < end && !(is_done && is_done())) {
    int ready = epoll_wait(poller, events, EVENTS, 20);
    for (int i = 0; i < ready; i++) {
      struct connection *c = events[i].data.ptr;
      if (c->phase == CONNECTING) on_connected(c);
      else if (c->phase == CLOSED) continue;
      else if (c->role == BULK) on_bulk(c, events[i].events);
      else on_answer(c);
    }
  }
}

static int all_connected(void) {
  for (int i = 0; i < count; i++) if (connections[i].phase == CONNECTING) return 0;
  return 1;
}

/** Opens connections `from` to `to`, some at a time. */
static void open_all(int from, int to) {
  for (count = from; count < to;) {
    int next = count + AT_ONCE < to ? count + AT_ONCE : to;
    for (; count < next; count++) open_connection(&connections[count], 0);
    run(now() + 10000000000LL, all_connected);
    if (!all_connected()) errno = ETIMEDOUT, fail("connect");
  }
}

static uint64_t acknowledged(void) {
  uint64_t sum = 0;
  for (int i = 0; i < count; i++) {
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    if (connections[i].phase == OPEN) {
      getsockopt(connections[i].fd, IPPROTO_TCP, TCP_INFO, &info, &length);
    }
    sum += info.tcpi_bytes_acked;
  }
  return sum;
}

static int compare(const void *a, const void *b) {
  uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
  return left < right ? -1 : left > right;
}

static double percentile(double share) {
  return delay_count ? delays[(size_t)(share * (delay_count - 1))] / 1000.0 : 0;
}

static void print_results(double seconds) {
  if (sends && !receives) bulk_bytes = acknowledged();
  for (int i = 0; i < count; i++) {
    struct connection *c = &connections[i];
    if (c->role == EXCHANGE && c->phase == OPEN && now() - c->began > 500000000) stalled++;
    if (c->phase != CLOSED) abort_connection(c);
  }
  qsort(delays, delay_count, sizeof *delays, compare);
  printf("{\"mode\":\"%s\",\"gbit_s\":%.3f,\"req_s\":%.0f,\"p50_us\":%.1f,\"p99_us\":%.1f,"
         "\"mismatches\":%ld,\"resets\":%ld,\"early_eof\":%ld,\"lost\":%ld,\"stalled\":%ld}\n",
         mode, bulk_bytes * 8 / seconds / 1e9, exchanges / seconds, percentile(.5), percentile(.99),
         mismatches, resets, early_eof, lost, stalled);
}

/* Datagrams. */

static const unsigned char QUERY[] =
    "\0\0\1\0\0\1\0\0\0\0\0\0\4host\4test\0\0\1\0\1";

/** Keeps `window` datagrams in flight; one without an answer for a second is lost. */
static void run_datagrams(int is_dns, int window, int64_t end) {
  static unsigned char out[1024][MESSAGE], in[1024][512];
  static struct mmsghdr sent[1024], got[1024];
  static struct iovec sent_at[1024], got_at[1024];
  static unsigned char in_flight[65536];
  int length = is_dns ? (int)sizeof QUERY - 1 : MESSAGE, size = 4 << 20;
  if (window > 1024) window = 1024;
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct timeval second = {1, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  if (connect(fd, (struct sockaddr *)&server, sizeof server)) fail("connect");
  for (int i = 0; i < 1024; i++) {
    memcpy(out[i], is_dns ? QUERY : chunk, length);
    sent_at[i] = (struct iovec){out[i], length};
    got_at[i] = (struct iovec){in[i], sizeof in[i]};
    sent[i].msg_hdr = (struct msghdr){.msg_iov = &sent_at[i], .msg_iovlen = 1};
    got[i].msg_hdr = (struct msghdr){.msg_iov = &got_at[i], .msg_iovlen = 1};
  }
  uint16_t next = 0;
  for (int room = window; now() < end;) {
    for (int i = 0; i < room; i++, next++) {
      out[i][0] = next >> 8;
      out[i][1] = next;
      in_flight[next] = 1;
    }
    for (int done = 0; done < room;) {
      int written = sendmmsg(fd, sent + done, room - done, 0);
      if (written < 0) fail("send");
      done += written;
    }
    int answers = recvmmsg(fd, got, window, MSG_WAITFORONE, NULL);
    if (answers < 0) {
      if (errno != EAGAIN) fail("receive");
      memset(in_flight, 0, sizeof in_flight);
      lost += window;
      room = window;
      continue;
    }
    room = answers;
    for (int i = 0; i < answers; i++) {
      unsigned char *answer = in[i];
      uint16_t number = answer[0] << 8 | answer[1];
      int is_right = is_dns
          ? got[i].msg_len > sizeof QUERY && (answer[2] & 0x80) && answer[7] > 0
          : got[i].msg_len == MESSAGE && !memcmp(answer + 2, chunk + 2, MESSAGE - 2);
      if (!is_right || !in_flight[number]) mismatches++;
      in_flight[number] = 0;
    }
    exchanges += answers;
  }
}

/* Idle connections. */

static long resident_kib(const char *pid) {
  char path[64];
  long size = 0, pages = 0;
  snprintf(path, sizeof path, "/proc/%s/statm", pid);
  FILE *file = fopen(path, "r");
  if (!file || fscanf(file, "%ld %ld", &size, &pages) != 2) fail(path);
  fclose(file);
  return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/** The first tenth of the connections warms the process up. */
static void run_idle(const char *pid) {
  int all = count, first = all / 10;
  open_all(0, first);
  sleep(1);
  long before = resident_kib(pid);
  open_all(first, all);
  sleep(1);
  long after = resident_kib(pid);
  for (int i = 0; i < all; i++) {
    unsigned char byte;
    if (recv(connections[i].fd, &byte, 1, MSG_PEEK) >= 0 || errno != EAGAIN) early_eof++;
    abort_connection(&connections[i]);
  }
  printf("{\"mode\":\"idle\",\"kib_each\":%.2f,\"early_eof\":%ld}\n",
         (double)(after - before) / (all - first), early_eof);
}

int main(int argc, char **argv) {
  if (argc < 6) return fprintf(stderr, "load MODE HOST PORT SECONDS CONNECTIONS [PID]\n"), 2;
  mode = argv[1];
  inet_pton(AF_INET, argv[2], &server.sin_addr);
  server.sin_port = htons(atoi(argv[3]));
  double seconds = atof(argv[4]);
  count = atoi(argv[5]);
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  poller = epoll_create1(0);
  int total = count + 1, is_beside = !strcmp(mode, "beside");
  connections = calloc(total, sizeof *connections);
  for (int i = 0; i < CHUNK; i++) chunk[i] = i * 31 + (i >> 8);
  is_websocket = !strcmp(mode, "websocket");
  is_single_use = !strcmp(mode, "crr");
  sends = !strcmp(mode, "up") || !strcmp(mode, "both");
  receives = !strcmp(mode, "down") || !strcmp(mode, "both") || is_beside;
  int is_idle = !strcmp(mode, "idle");
  for (int i = 0; i < total; i++) {
    enum role role = sends || receives || is_idle ? BULK : EXCHANGE;
    connections[i] = (struct connection){.number = i, .role = role};
  }
  if (is_idle) return argc > 6 ? run_idle(argv[6]), 0 : 2;
  if (is_beside) {
    connections[count].role = EXCHANGE;
    open_connection(&connections[count], ECHO_PORT);
  }
  int64_t began = now(), end = began + seconds * 1e9;
  int is_dns = !strcmp(mode, "dns");
  if (is_dns || !strcmp(mode, "udp")) {
    run_datagrams(is_dns, count, end);
    count = 0;
  } else {
    if (is_single_use) {
      for (int i = 0; i < count; i++) open_connection(&connections[i], 0);
    } else open_all(0, count);
    if (is_beside) count++;
    run(end, NULL);
  }
  print_results((now() - began) / 1e9);
  return 0;
}
