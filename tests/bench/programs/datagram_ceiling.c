/*
 * The minimum that a program can do behind a TUN device: `datagram_ceiling DEVICE`. Sends each UDP datagram
 * back with its addresses exchanged; a datagram to port 53 becomes an answer with an address. IPv4 only;
 * nothing is checked. Prints "ready"; ends with its stdin.
 */
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { IP = 20, UDP = 8 };

static unsigned char packet[65536];

/** The record of the answer: the name of the question, an address, 60 seconds, 10.90.0.9. */
static const unsigned char ANSWER[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 90, 0, 9};

static void exchange(int one, int other, int length) {
  unsigned char kept[4];
  memcpy(kept, packet + one, length);
  memcpy(packet + one, packet + other, length);
  memcpy(packet + other, kept, length);
}

static void write_16(int at, int value) {
  packet[at] = value >> 8;
  packet[at + 1] = value;
}

/** Appends the answer; a UDP checksum of zero means that there is none (RFC 768). */
static int answer(int length) {
  memcpy(packet + length, ANSWER, sizeof ANSWER);
  length += sizeof ANSWER;
  packet[IP + UDP + 2] |= 0x80;
  packet[IP + UDP + 7] = 1;
  write_16(2, length);
  write_16(IP + 4, length - IP);
  write_16(IP + 6, 0);
  write_16(10, 0);
  unsigned long sum = 0;
  for (int i = 0; i < IP; i += 2) sum += packet[i] << 8 | packet[i + 1];
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  write_16(10, ~sum);
  return length;
}

int main(int argc, char **argv) {
  if (argc < 2) return fprintf(stderr, "datagram_ceiling DEVICE\n"), 2;
  struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
  strncpy(request.ifr_name, argv[1], IFNAMSIZ - 1);
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
  if (fd < 0 || ioctl(fd, TUNSETIFF, &request)) return perror("TUN device"), 1;
  puts("ready");
  fflush(stdout);
  struct pollfd waits[] = {{fd, POLLIN, 0}, {0, POLLIN, 0}};
  for (;;) {
    int length = read(fd, packet, sizeof packet);
    if (length < 0) {
      poll(waits, 2, -1);
      if (waits[1].revents && read(0, packet, sizeof packet) <= 0) return 0;
      continue;
    }
    if (length < IP + UDP || packet[0] != 0x45 || packet[9] != 17) continue;
    int is_query = packet[IP + 2] == 0 && packet[IP + 3] == 53;
    exchange(12, 16, 4);
    exchange(IP, IP + 2, 2);
    if (is_query && length > IP + UDP + 12) length = answer(length);
    if (write(fd, packet, length) < 0) continue;
  }
}
