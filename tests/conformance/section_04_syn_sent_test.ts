import { expect, test } from "bun:test";
import { IpAddress } from "../../core/wire/address.ts";
import { Trace } from "../support/dsl/trace.ts";
import { Wire } from "../support/dsl/wire.ts";
import { ApiPeer } from "./api_peer.ts";
import { rowsWith } from "./row.ts";
import { SYN_SENT } from "./script/preludes.ts";

const row = rowsWith(test);

// All four options.
row(
  37,
  "connect() sends a SYN with MSS, window scale, SACK-permitted, timestamps",
  `set receiveBuffer=1048576
  0  connect
  +0 > S 0:0(0) win 65535 <mss 1460,sackOK,TS val 0 ecr 0,wscale 5>
  +0 expect state SYN-SENT`,
);

// The handshake is complete after one round trip.
row(
  38,
  "a good SYN,ACK leads to ESTABLISHED and is acknowledged",
  `${SYN_SENT}
  +.01 < S. 0:0(0) ack 1 win 65535 <mss 1000,sackOK>
  +0   > . 1:1(0) ack 1
  +0   expect state ESTABLISHED`,
);

// ISS and ISS + 2, with and without SYN; then the correct one.
row(
  39,
  "an ACK of unsent data draws RST, SEQ=SEG.ACK",
  `${SYN_SENT}
  +0 < S. 0:0(0) ack 0
  +0 > R 0:0(0)
  +0 < S. 0:0(0) ack 2
  +0 > R 2:2(0)
  +0 < . 1:1(0) ack 2
  +0 > R 2:2(0)
  +0 < . 1:1(0) ack -1
  +0 > R -1:-1(0)
  +0 expect state SYN-SENT
  +0 < S. 0:0(0) ack 1
  +0 > . 1:1(0) ack 1`,
);

// It may belong to an old connection of the peer.
row(
  40,
  "a good ACK without SYN or RST is dropped",
  `${SYN_SENT}
  +0 < . 0:0(0) ack 1
  +0 < F. 0:0(0) ack 1
  +0 expect state SYN-SENT`,
);

// The port is closed.
row(
  41,
  "a RST with a good ACK refuses the connection",
  `${SYN_SENT}
  +.01 < R. 0:0(0) ack 1
  +0   expect state CLOSED
  +0   expect error CONNECTION_REFUSED
  +0   expect connections 0`,
);

// A sender that has not seen the SYN cannot refuse it.
row(
  42,
  "a RST without ACK is dropped",
  `${SYN_SENT}
  +0 < R 0:0(0)
  +0 < R 1:1(0)
  +0 expect state SYN-SENT`,
);
row(
  43,
  "a RST with a bad ACK is dropped",
  `${SYN_SENT}
  +0 < R. 0:0(0) ack 0
  +0 < R. 0:0(0) ack 2
  +0 expect state SYN-SENT`,
);

// Both SYNs cross; then each end receives a SYN,ACK, or only an ACK.
row(
  44,
  "a SYN without ACK opens simultaneously",
  "SYN,ACK",
  `${SYN_SENT}
  +.01 < S 0:0(0) win 65535 <mss 1000>
  +0   > S. 0:0(0) ack 1
  +0   expect state SYN-RECEIVED
  +.01 < S. 0:0(0) ack 1
  +0   > . 1:1(0) ack 1
  +0   expect state ESTABLISHED`,
);
row(
  44,
  "a SYN without ACK opens simultaneously",
  "ACK",
  `${SYN_SENT}
  +.01 < S 0:0(0) win 65535 <mss 1000>
  +0   > S. 0:0(0) ack 1
  +.01 < . 1:1(0) ack 1
  +0   expect state ESTABLISHED`,
);

// The peer refuses after its SYN.
row(
  45,
  "a RST in a simultaneous open refuses the connection",
  `${SYN_SENT}
  +.01 < S 0:0(0) win 65535
  +0   > S. 0:0(0) ack 1
  +.01 < R. 1:1(0) ack 1
  +0   expect state CLOSED
  +0   expect error CONNECTION_REFUSED`,
);

// The peer gets RST in response to its answer.
row(
  46,
  "close() in SYN-SENT sends nothing, a late SYN,ACK draws RST",
  `${SYN_SENT}
  +0   close
  +0   expect state CLOSED
  +.01 < S. 0:0(0) ack 1
  +0   > R 1:1(0)`,
);

// 1, 2, 4, 8 seconds.
row(
  47,
  "the SYN is retransmitted after 1 s and doubling intervals",
  `${SYN_SENT}
  1    > S 0:0(0) <...>
  3    > S 0:0(0) <...>
  7    > S 0:0(0) <...>
  15   > S 0:0(0) <...>`,
);

// Three minutes by default.
row(
  48,
  "connect() fails after at least 3 minutes, with an error",
  `${SYN_SENT}
  1     > S 0:0(0)
  3     > S 0:0(0)
  7     > S 0:0(0)
  15    > S 0:0(0)
  31    > S 0:0(0)
  63    > S 0:0(0)
  123   > S 0:0(0)
  179.9 expect state SYN-SENT
  180.1 expect state CLOSED
  +0    expect error TIMED_OUT`,
);
row(
  48,
  "connect() fails after at least 3 minutes, with an error",
  "settable",
  `set connectTimeoutMs=2500
  ${SYN_SENT}
  1     > S 0:0(0)
  2.6   expect error TIMED_OUT`,
);

// More than one segment, in order.
row(
  49,
  "data written in SYN-SENT is sent once established",
  `${SYN_SENT}
  +0   write 1500
  +.01 < S. 0:0(0) ack 1 win 65535 <mss 1000>
  +0   > . 1:1501(1500) ack 1 x1000`,
);

// The read waits for the connection.
row(50, "reading in SYN-SENT waits, a RST wakes it with an error", async () => {
  await using peer = new ApiPeer();
  const socket = peer.stack.connect("10.0.0.1:80");
  const outcome = socket.read(new Uint8Array(10)).catch((error) => error.code);
  socket.opened.catch(() => {});
  socket.closed.catch(() => {});
  const syn = await peer.sent();
  peer.reply(syn, { flags: 20, seq: 0, ack: syn.seq + 1 });
  expect(await outcome).toBe("CONNECTION_REFUSED");
});

// Addresses that are not unicast, and port 0, cannot be a peer.
row(51, "connect() to an address that is not unicast, or to port 0, fails", () => {
  const { stack } = new Wire({ profile: "internet" });
  const connect = (text: string, remotePort: number) =>
    stack.tcp.connect(
      { remote: IpAddress.parse(text)!, remotePort, local: undefined, localPort: 0 },
      0,
    );
  for (const text of ["255.255.255.255", "10.0.0.255", "224.0.0.1", "0.0.0.0", "::", "ff02::1"]) {
    expect(connect(text, 80)).toBe("INVALID_ADDRESS");
  }
  expect(connect("10.0.0.1", 0)).toBe("INVALID_ADDRESS");
});

// The own address in the peer's network, otherwise one of the same family; an explicit one is used.
row(52, "a local address is picked where none was given", () => {
  const wire = new Wire({
    profile: "internet",
    subnets: ["10.0.0.2/24", "10.1.0.2/24", "fd00::2/64"],
  });
  const source = (to: string, from?: string) => {
    const local = from === undefined ? undefined : IpAddress.parse(from)!;
    const request = { remote: IpAddress.parse(to)!, remotePort: 80, local, localPort: 0 };
    wire.step((stack) => stack.tcp.connect(request, wire.now));
    const sent = wire.unread.shift()?.packet;
    return sent?.source;
  };
  expect(source("10.0.0.1")).toBe("10.0.0.2");
  expect(source("10.1.0.1")).toBe("10.1.0.2");
  expect(source("192.0.2.1")).toBe("10.0.0.2");
  expect(source("2001:db8::1")).toBe("fd00::2");
  expect(source("192.0.2.1", "10.1.0.2")).toBe("10.1.0.2");
  expect(source("192.0.2.1", "10.9.9.9")).toBeUndefined();
});

// A simultaneous open with itself: written data is read back.
row(53, "connecting to oneself on one port works or fails cleanly", () => {
  const wire = new Wire({ profile: "internet" });
  const own = { local: "10.0.0.2", localPort: 5000, remote: "10.0.0.2", remotePort: 5000 };
  const t = new Trace(wire, own);
  t.connect();
  expect(t.state).toBe("ESTABLISHED");
  wire.step((stack) => stack.tcp.send(t.tcb, Uint8Array.of(1, 2, 3), 0, wire.now));
  const target = new Uint8Array(10);
  expect(wire.step((stack) => stack.tcp.read(t.tcb, target, wire.now))).toBe(3);
  expect([...target.subarray(0, 3)]).toEqual([1, 2, 3]);
  expect(wire.unread).toEqual([]);
});
