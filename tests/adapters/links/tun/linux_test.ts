import { describe, expect, test } from "bun:test";
import * as linux from "../../../../adapters/links/tun/linux.ts";

const NAME = "74756e30" + "00".repeat(12); // tun0
const rest = (bytes: number) => "00".repeat(bytes);

describe("struct ifreq", () => {
  // 16 bytes of name, then a union of 24 bytes, on every 64-bit machine.
  test("holds a name", () => {
    expect(linux.ifreq("tun0").toHex()).toBe(NAME + rest(24));
    expect(linux.nameOf(linux.ifreq("tun0"))).toBe("tun0");
  });

  // The final zero takes one byte.
  test("truncates a name to 15 bytes", () => {
    expect(linux.nameOf(linux.ifreq("a234567890123456789"))).toBe("a23456789012345");
  });

  // ifr_flags is a short.
  test("holds flags", () => {
    const request = linux.ifreqFlags("tun0", linux.IFF_TUN | linux.IFF_NO_PI | linux.IFF_VNET_HDR);
    expect(request.toHex()).toBe(NAME + "0150" + rest(22));
    expect(linux.flagsOf(request)).toBe(0x5001);
  });

  // ifr_mtu and ifr_ifindex are ints.
  test("holds a number", () => {
    expect(linux.ifreqInt("tun0", 1500).toHex()).toBe(NAME + "dc050000" + rest(20));
    expect(linux.intOf(linux.ifreqInt("tun0", 70_000))).toBe(70_000);
  });
});

describe("struct pollfd", () => {
  // A descriptor, requested events and returned events.
  test("requests readability of descriptors", () => {
    expect(linux.pollSet(5, 258).toHex()).toBe("05000000" + "01000000" + "02010000" + "01000000");
  });

  // revents of the first descriptor.
  test("returns the events", () => {
    const set = linux.pollSet(5);
    set[6] = linux.POLLIN | linux.POLLERR;
    expect(linux.eventsOf(set)).toBe(9);
  });
});

describe("struct iovec", () => {
  // An address above 4 GiB and a length, 64 bits each.
  test("points to bytes", () => {
    const vectors = new linux.IoVectors(2);
    vectors.set(1, 0x7f12_3456_789a, 1500);
    expect(vectors.bytes.toHex()).toBe(rest(16) + "9a785634127f0000" + "dc05000000000000");
  });
});

describe("struct timespec", () => {
  // Seconds and nanoseconds, 64 bits each.
  test("holds less than a second", () => {
    expect(linux.timespec(50_000).toHex()).toBe(rest(8) + "50c3000000000000");
  });
});

describe("strings and ints", () => {
  // As in C's headers.
  test("are passed to ioctl and open", () => {
    expect(linux.cString("/dev").toHex()).toBe("2f64657600");
    expect(linux.intBytes(12).toHex()).toBe("0c000000");
    expect(linux.readInt(linux.intBytes(-5))).toBe(-5);
  });
});

describe("ioctl numbers", () => {
  // _IOW('T', number, int): direction, size, type and number, as x86-64 and arm64 encode them.
  test.each([
    [linux.TUNSETIFF, 202],
    [linux.TUNSETOFFLOAD, 208],
    [linux.TUNSETVNETHDRSZ, 216],
  ])("%d is TUN's number %d", (request, number) => {
    expect(request).toBe((1 << 30) | (4 << 16) | ("T".charCodeAt(0) << 8) | number);
  });

  // _IOR('T', number, int)
  test("TUNSETSTEERINGEBPF is TUN's number 224", () => {
    expect(linux.TUNSETSTEERINGEBPF).toBe(
      ((2 << 30) | (4 << 16) | ("T".charCodeAt(0) << 8) | 224) >>> 0,
    );
  });
});
