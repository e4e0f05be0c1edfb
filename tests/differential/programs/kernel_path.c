/*
 * The kernel sends to itself as fast as it can, over a simulated path in real time:
 *
 *     kernel_path CONGESTION SEED SECONDS POLLS [forward.NAME=VALUE | back.NAME=VALUE]...
 *
 * The names are those of `Conditions` in tests/sim/wire.ts, and mean the same here; forward is the
 * sender's direction. Prints a line of JSON: the bytes that the receiver got in SECONDS after the
 * SYN, the longest time in which it got none, and how late half and 99 of 100 packets left the path.
 *
 * The path joins two TUN devices, and gives each end addresses that are not the machine's own. The sum of
 * the addresses stays the same, and so does every checksum. With POLLS = 1 it never sleeps; otherwise it sleeps until
 * shortly before the next packet is due. Run it in a network namespace of its own.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <math.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PORT = 5001, MTU = 1500, CHUNK = 1 << 18, BATCH = 64, MOST_LATE_US = 20000 };
/* A sleep ends late by up to this time. */
static const double WAKE_MS = 0.1;
/* Time allowed after the receiver's end. */
static const double SPARE_MS = 5000;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static double now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

/* ------------------------------------------------------------ conditions */

struct conditions {
  double loss, burst, burstMs, burstPackets, reorder, reorderMs, delayMs, bytesPerMs, queueBytes,
      polices, batchMs;
};

#define FIELD(name) { #name, offsetof(struct conditions, name) }
static const struct {
  const char *name;
  size_t offset;
} FIELDS[] = {
  FIELD(loss), FIELD(burst), FIELD(burstMs), FIELD(burstPackets), FIELD(reorder),
  FIELD(reorderMs), FIELD(delayMs), FIELD(bytesPerMs), FIELD(queueBytes), FIELD(polices),
  FIELD(batchMs),
};

static void set_condition(struct conditions *conditions, const char *name, const char *value) {
  size_t length = strcspn(name, "=");
  for (size_t i = 0; i < sizeof FIELDS / sizeof *FIELDS; i++) {
    if (strlen(FIELDS[i].name) != length || strncmp(name, FIELDS[i].name, length) != 0) continue;
    *(double *)((char *)conditions + FIELDS[i].offset) = strtod(value, NULL);
    return;
  }
  fprintf(stderr, "unknown condition %s\n", name);
  exit(1);
}

/* ------------------------------------------------------------ packets in transit */

struct packet {
  double at;
  uint64_t order;
  struct packet *next_free;
  int device, length;
  unsigned char bytes[MTU];
};

static struct packet *free_packets;
/* A binary heap: the earliest packet first, then the one that was sent first. */
static struct packet **heap;
static int heap_count, heap_room;
static uint64_t next_order;

static struct packet *take_packet(void) {
  struct packet *packet = free_packets;
  if (packet == NULL) {
    packet = malloc(sizeof *packet);
    if (packet == NULL) fail("malloc");
  } else free_packets = packet->next_free;
  return packet;
}

static void give_packet(struct packet *packet) {
  packet->next_free = free_packets;
  free_packets = packet;
}

static int is_before(const struct packet *a, const struct packet *b) {
  return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static void schedule(struct packet *packet) {
  if (heap_count == heap_room) {
    heap_room = heap_room * 2 + 1024;
    heap = realloc(heap, heap_room * sizeof *heap);
    if (heap == NULL) fail("realloc");
  }
  packet->order = next_order++;
  int at = heap_count++;
  for (; at > 0 && is_before(packet, heap[(at - 1) / 2]); at = (at - 1) / 2) {
    heap[at] = heap[(at - 1) / 2];
  }
  heap[at] = packet;
}

static struct packet *take_first(void) {
  struct packet *first = heap[0], *last = heap[--heap_count];
  int at = 0;
  for (int child = 1; child < heap_count; child = 2 * at + 1) {
    if (child + 1 < heap_count && is_before(heap[child + 1], heap[child])) child++;
    if (!is_before(heap[child], last)) break;
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = last;
  return first;
}

/* ------------------------------------------------------------ one direction, as in wire.ts */

struct way {
  struct conditions conditions;
  int from, to;
  /* Second byte of the source and destination address behind the path. */
  unsigned char source, destination;
  uint64_t random;
  double burst_until, burst_left, last_arrival, free_at;
};

/* xorshift64*, in [0, 1). */
static double fraction(struct way *way) {
  uint64_t x = way->random;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  way->random = x;
  return ((x * 0x2545f4914f6cdd1dULL) >> 11) / 9007199254740992.0;
}

static int chance(struct way *way, double share) {
  return share > 0 && fraction(way) < share;
}

static int is_lost(struct way *way, double now) {
  const struct conditions *c = &way->conditions;
  if (now < way->burst_until && way->burst_left-- > 0) return 1;
  if (chance(way, c->burst)) {
    double part = fraction(way);
    way->burst_until = now + part * c->burstMs;
    way->burst_left = c->burstPackets > 0 ? floor(part * c->burstPackets) : INFINITY;
    return 1;
  }
  return chance(way, c->loss);
}

/* When the last bit is sent; negative if the queue is full. */
static double transmit(struct way *way, int length, double now) {
  const struct conditions *c = &way->conditions;
  if (c->bytesPerMs == 0) return now;
  double begins = fmax(now, way->free_at);
  if ((begins - now) * c->bytesPerMs + (c->polices ? length : 0) > c->queueBytes) return -1;
  way->free_at = begins + length / c->bytesPerMs;
  return c->polices ? now : way->free_at;
}

/* Returns whether the packet was sent. */
static int carry(struct way *way, struct packet *packet, double now) {
  const struct conditions *c = &way->conditions;
  if (packet->bytes[0] >> 4 != 4 || is_lost(way, now)) return 0;
  double sent_at = transmit(way, packet->length, now);
  if (sent_at < 0) return 0;
  double at = sent_at + c->delayMs;
  if (chance(way, c->reorder)) at += fraction(way) * c->reorderMs;
  else at = way->last_arrival = fmax(at, way->last_arrival);
  if (c->batchMs > 0) at = ceil(at / c->batchMs) * c->batchMs;
  packet->bytes[13] = way->source;
  packet->bytes[17] = way->destination;
  packet->device = way->to;
  packet->at = at;
  schedule(packet);
  return 1;
}

static int receive(struct way *way) {
  int count = 0;
  for (; count < BATCH; count++) {
    struct packet *packet = take_packet();
    packet->length = read(way->from, packet->bytes, MTU);
    if (packet->length <= 0) {
      give_packet(packet);
      break;
    }
    if (!carry(way, packet, now_ms())) give_packet(packet);
  }
  return count;
}

static uint64_t lateness[MOST_LATE_US + 1];

static void deliver_due(void) {
  double now = now_ms();
  while (heap_count > 0 && heap[0]->at <= now) {
    struct packet *packet = take_first();
    int late_us = (int)((now - packet->at) * 1000);
    lateness[late_us < MOST_LATE_US ? late_us : MOST_LATE_US]++;
    if (write(packet->device, packet->bytes, packet->length) < 0 && errno != EAGAIN) fail("write");
    give_packet(packet);
    now = now_ms();
  }
}

/* The delay in milliseconds that `share` of the packets did not exceed. */
static double late_ms(double share) {
  uint64_t all = 0, seen = 0;
  for (int i = 0; i <= MOST_LATE_US; i++) all += lateness[i];
  for (int i = 0; i <= MOST_LATE_US; i++) {
    if ((seen += lateness[i]) >= share * all) return i / 1000.0;
  }
  return 0;
}

/* ------------------------------------------------------------ the ends */

/* Shared by all processes. */
struct outcome {
  volatile double silence_ms;
  volatile uint64_t bytes;
};

static int open_tun(const char *name) {
  int device = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  if (device < 0 || ioctl(device, TUNSETIFF, &request) < 0) fail("/dev/net/tun");
  return device;
}

static struct sockaddr_in address(const char *text) {
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(PORT) };
  inet_pton(AF_INET, text, &address.sin_addr);
  return address;
}

/* Returns the time; at `end` at the latest. */
static double wait_readable(int socket, double end) {
  struct pollfd waiting = { .fd = socket, .events = POLLIN };
  poll(&waiting, 1, (int)fmax(end - now_ms(), 0) + 1);
  return fmin(now_ms(), end);
}

static void receive_all(int listener, struct outcome *outcome, double end) {
  static char buffer[1 << 20];
  double last = wait_readable(listener, end);
  if (last >= end) return;
  int connection = accept(listener, NULL, NULL);
  if (connection < 0) fail("accept");
  for (;;) {
    double now = wait_readable(connection, end);
    outcome->silence_ms = fmax(outcome->silence_ms, now - last);
    if (now >= end) return;
    ssize_t count = recv(connection, buffer, sizeof buffer, MSG_DONTWAIT);
    if (count < 0 && errno != EAGAIN) fail("recv");
    if (count <= 0) continue;
    outcome->bytes += count;
    last = now;
  }
}

static void send_all(const char *congestion) {
  static const char chunk[CHUNK];
  int connection = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in to = address("10.91.0.2");
  if (setsockopt(connection, IPPROTO_TCP, TCP_CONGESTION, congestion, strlen(congestion)) < 0) {
    fail(congestion);
  }
  if (connect(connection, (struct sockaddr *)&to, sizeof to) < 0) fail("connect");
  while (send(connection, chunk, CHUNK, MSG_NOSIGNAL) > 0);
}

/* Runs on a processor other than that of the path, if there is one and the path does not sleep. */
static pid_t begin_child(int polls) {
  pid_t child = fork();
  if (child != 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  cpu_set_t cpus;
  sched_getaffinity(0, sizeof cpus, &cpus);
  if (polls && CPU_COUNT(&cpus) > 1) {
    CPU_CLR(0, &cpus);
    sched_setaffinity(0, sizeof cpus, &cpus);
  }
  return 0;
}

static void run_path(struct way ways[2], int polls, pid_t receiver, double until) {
  struct pollfd waiting[2] = {
    { .fd = ways[0].from, .events = POLLIN }, { .fd = ways[1].from, .events = POLLIN },
  };
  if (polls) {
    cpu_set_t first;
    CPU_ZERO(&first);
    CPU_SET(0, &first);
    sched_setaffinity(0, sizeof first, &first);
  }
  for (uint64_t turn = 0; now_ms() < until; turn++) {
    int count = receive(&ways[0]) + receive(&ways[1]);
    deliver_due();
    if ((turn & 1023) == 0 || !polls) {
      if (waitpid(receiver, NULL, WNOHANG) == receiver) return;
    }
    if (polls || count > 0) continue;
    double wait = fmin(heap_count > 0 ? heap[0]->at - now_ms() - WAKE_MS : 10, 10);
    struct timespec timeout = { .tv_nsec = (long)(wait * 1e6) };
    if (wait > 0) ppoll(waiting, 2, &timeout, NULL);
  }
}

int main(int argc, char **argv) {
  if (argc < 5) {
    fprintf(stderr, "usage: kernel_path CONGESTION SEED SECONDS POLLS [WAY.NAME=VALUE]...\n");
    return 1;
  }
  uint64_t seed = strtoull(argv[2], NULL, 10);
  double seconds = strtod(argv[3], NULL);
  int polls = atoi(argv[4]);
  struct way ways[2] = {
    { .source = 90, .destination = 92, .random = (2 * seed + 1) * 0x9e3779b97f4a7c15ULL },
    { .source = 91, .destination = 91, .random = (2 * seed + 2) * 0x9e3779b97f4a7c15ULL },
  };
  for (int i = 5; i < argc; i++) {
    const char *name = strchr(argv[i], '.'), *value = strchr(argv[i], '=');
    if (name == NULL || value == NULL) return 1;
    set_condition(&ways[argv[i][0] == 'b'].conditions, name + 1, value + 1);
  }
  ways[0].from = ways[1].to = open_tun("sender");
  ways[1].from = ways[0].to = open_tun("receiver");
  /* Packets that the path cannot accept at once are queued: the device is not part of the path. */
  if (system("ip addr add 10.91.0.1/24 dev sender && ip addr add 10.92.0.2/24 dev receiver && "
             "ip link set sender up txqueuelen 10000 && "
             "ip link set receiver up txqueuelen 10000 && "
             "ip route add 10.90.0.1/32 dev receiver") != 0) {
    return 1;
  }
  prctl(PR_SET_TIMERSLACK, 1);
  struct outcome *outcome =
      mmap(NULL, sizeof *outcome, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in own = address("10.92.0.2");
  if (bind(listener, (struct sockaddr *)&own, sizeof own) < 0 || listen(listener, 1) < 0) {
    fail("listen");
  }
  double end = now_ms() + seconds * 1000;
  pid_t receiver = begin_child(polls);
  if (receiver == 0) {
    receive_all(listener, outcome, end);
    return 0;
  }
  pid_t sender = begin_child(polls);
  if (sender == 0) {
    send_all(argv[1]);
    return 0;
  }
  run_path(ways, polls, receiver, end + SPARE_MS);
  kill(sender, SIGKILL);
  kill(receiver, SIGKILL);
  printf("{\"bytes\":%llu,\"silenceMs\":%.3f,\"medianLateMs\":%.3f,\"lateMs\":%.3f}\n",
         (unsigned long long)outcome->bytes, outcome->silence_ms, late_ms(0.5), late_ms(0.99));
  return 0;
}
