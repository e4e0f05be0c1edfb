/*
 * Sends one datagram again and again: `udp_flood HOST PORT PER_SECOND SECONDS HEX`. HOST is an IPv4 address. Prints how
 * many the kernel has accepted.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, MAX_SIZE = 1500 };

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec + now.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  if (argc != 6) return fprintf(stderr, "udp_flood HOST PORT PER_SECOND SECONDS HEX\n"), 2;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
  inet_pton(AF_INET, argv[1], &to.sin_addr);
  const double rate = atof(argv[3]), limit = atof(argv[4]);
  static unsigned char datagram[MAX_SIZE];
  const size_t size = strlen(argv[5]) / 2;
  for (size_t i = 0; i < size && i < MAX_SIZE; i++) {
    unsigned byte;
    if (sscanf(argv[5] + 2 * i, "%2x", &byte) != 1) return 2;
    datagram[i] = byte;
  }
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct iovec vector = {datagram, size};
  struct mmsghdr messages[BATCH];
  memset(messages, 0, sizeof messages);
  for (int i = 0; i < BATCH; i++) {
    messages[i].msg_hdr = (struct msghdr){
        .msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &vector, .msg_iovlen = 1};
  }
  const double began = seconds();
  uint64_t sent = 0;
  for (double passed = 0; passed < limit; passed = seconds() - began) {
    if (sent >= passed * rate) {
      usleep(200);
      continue;
    }
    const int count = sendmmsg(fd, messages, BATCH, 0);
    if (count > 0) sent += count;
  }
  printf("{\"sent\":%llu,\"perSecond\":%.0f}\n", (unsigned long long)sent,
         sent / (seconds() - began));
  return 0;
}
