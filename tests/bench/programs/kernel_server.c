/*
 * Servers on kernel sockets, in one thread: echo on port 7 (TCP and UDP), discard on 9, characters on
 * 19, "hello" over HTTP on 80. Prints "ready"; ends with its stdin.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ECHO = 7, DISCARD = 9, CHARACTERS = 19, HTTP = 80 };
enum { CHUNK = 256 * 1024, EVENTS = 512, DATAGRAMS = 64 };

/** `port` is 0 for the datagram socket and -1 for stdin. */
struct watched {
  int fd, port, is_listener, is_waiting;
  unsigned char *unsent;
  size_t unsent_at, unsent_length;
  unsigned int head_end;
};

static int poller;
static unsigned char chunk[CHUNK], characters[CHUNK], answers[CHUNK];
static const char HELLO[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";

static void watch(struct watched *w, int operation) {
  int writes = w->is_waiting || (w->port == CHARACTERS && !w->is_listener);
  struct epoll_event event = {.events = writes ? EPOLLOUT : EPOLLIN, .data.ptr = w};
  epoll_ctl(poller, operation, w->fd, &event);
}

static struct watched *add(int fd, int port, int is_listener) {
  struct watched *w = calloc(1, sizeof *w);
  *w = (struct watched){.fd = fd, .port = port, .is_listener = is_listener};
  watch(w, EPOLL_CTL_ADD);
  return w;
}

static void end(struct watched *w) {
  close(w->fd);
  free(w->unsent);
  free(w);
}

/** Sends, and keeps what the socket does not accept; returns -1 if the connection has ended. */
static int put(struct watched *w, const unsigned char *bytes, size_t length) {
  ssize_t sent = send(w->fd, bytes, length, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) return -1;
  if (sent < 0) sent = 0;
  if ((size_t)sent == length) return 0;
  w->unsent_length = length - sent;
  w->unsent_at = 0;
  w->unsent = malloc(w->unsent_length);
  memcpy(w->unsent, bytes + sent, w->unsent_length);
  w->is_waiting = 1;
  watch(w, EPOLL_CTL_MOD);
  return 0;
}

static int put_rest(struct watched *w) {
  ssize_t sent = send(w->fd, w->unsent + w->unsent_at, w->unsent_length - w->unsent_at, MSG_NOSIGNAL);
  if (sent < 0) return errno == EAGAIN ? 0 : -1;
  w->unsent_at += sent;
  if (w->unsent_at < w->unsent_length) return 0;
  free(w->unsent);
  w->unsent = NULL;
  w->is_waiting = 0;
  watch(w, EPOLL_CTL_MOD);
  return 0;
}

/** One response for each empty line. */
static int answer(struct watched *w, const unsigned char *bytes, size_t length) {
  size_t size = 0;
  for (size_t i = 0; i < length; i++) {
    w->head_end = w->head_end << 8 | bytes[i];
    if (w->head_end != 0x0d0a0d0a || size + sizeof HELLO > sizeof answers) continue;
    memcpy(answers + size, HELLO, sizeof HELLO - 1);
    size += sizeof HELLO - 1;
  }
  return size ? put(w, answers, size) : 0;
}

static int serve(struct watched *w) {
  if (w->port == CHARACTERS) {
    return send(w->fd, characters, CHUNK, MSG_NOSIGNAL) < 0 && errno != EAGAIN ? -1 : 0;
  }
  if (w->is_waiting) return put_rest(w);
  ssize_t got = read(w->fd, chunk, CHUNK);
  if (got <= 0) return got < 0 && errno == EAGAIN ? 0 : -1;
  if (w->port == ECHO) return put(w, chunk, got);
  return w->port == HTTP ? answer(w, chunk, got) : 0;
}

static void accept_all(struct watched *listener) {
  for (int one = 1;;) {
    int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0) return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    add(fd, listener->port, 0);
  }
}

static void echo_datagrams(int fd) {
  static unsigned char bytes[DATAGRAMS][2048];
  static struct sockaddr_in from[DATAGRAMS];
  static struct iovec at[DATAGRAMS];
  static struct mmsghdr messages[DATAGRAMS];
  for (int i = 0; i < DATAGRAMS; i++) {
    at[i] = (struct iovec){bytes[i], sizeof bytes[i]};
    messages[i].msg_hdr = (struct msghdr){
        .msg_name = &from[i], .msg_namelen = sizeof from[i], .msg_iov = &at[i], .msg_iovlen = 1};
  }
  int got = recvmmsg(fd, messages, DATAGRAMS, MSG_DONTWAIT, NULL);
  for (int i = 0; i < got; i++) at[i].iov_len = messages[i].msg_len;
  if (got > 0) sendmmsg(fd, messages, got, MSG_DONTWAIT);
}

static int bind_socket(int type, int port) {
  int one = 1, fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(fd, (struct sockaddr *)&address, sizeof address)) perror("bind"), exit(1);
  if (type == SOCK_STREAM && listen(fd, 4096)) perror("listen"), exit(1);
  return fd;
}

int main(void) {
  static const int ports[] = {ECHO, DISCARD, CHARACTERS, HTTP};
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  poller = epoll_create1(0);
  for (int i = 0; i < CHUNK; i++) characters[i] = 'a' + i % 26;
  for (size_t i = 0; i < sizeof ports / sizeof *ports; i++) {
    add(bind_socket(SOCK_STREAM, ports[i]), ports[i], 1);
  }
  add(bind_socket(SOCK_DGRAM, ECHO), 0, 0);
  add(0, -1, 0);
  puts("ready");
  fflush(stdout);
  for (struct epoll_event events[EVENTS];;) {
    int ready = epoll_wait(poller, events, EVENTS, -1);
    for (int i = 0; i < ready; i++) {
      struct watched *w = events[i].data.ptr;
      if (w->port < 0) {
        if (read(0, chunk, CHUNK) <= 0) return 0;
      } else if (w->port == 0) echo_datagrams(w->fd);
      else if (w->is_listener) accept_all(w);
      else if (serve(w) < 0) end(w);
    }
  }
}
