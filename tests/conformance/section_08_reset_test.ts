import { expect, test } from "bun:test";
import { ApiPeer } from "./api_peer.ts";
import { rowsWith } from "./row.ts";
import { accepted } from "./script/preludes.ts";

const row = rowsWith(test);

// Both reads and writes report it.
row(
  90,
  "a RST at RCV.NXT resets, and pending reads and writes fail",
  `${accepted()}
  +0 < R. 1:1(0) ack 1
  +0 expect state CLOSED
  +0 expect connections 0
  +0 read 1 = CONNECTION_RESET
  +0 write 1 = 0`,
);
row(
  90,
  "a RST at RCV.NXT resets, and pending reads and writes fail",
  "reader and writer",
  async () => {
    await using peer = new ApiPeer({ sendBuffer: 65536 });
    const socket = peer.stack.connect("10.0.0.1:80");
    const codeOf = (error: { code: string }) => error.code;
    const syn = await peer.sent();
    peer.reply(syn, { flags: 18, seq: 0, ack: syn.seq + 1 });
    await socket.opened;
    const read = socket.read(new Uint8Array(10)).catch(codeOf);
    const write = socket.write(new Uint8Array(1_000_000)).catch(codeOf);
    const closed = socket.closed.catch(codeOf);
    peer.reply(syn, { flags: 4, seq: 1, ack: 0 });
    const codes = await peer.clock.runUntil(Promise.all([read, write, closed]));
    expect(codes).toEqual(["CONNECTION_RESET", "CONNECTION_RESET", "CONNECTION_RESET"]);
    expect(await socket.write(new Uint8Array(1)).catch(codeOf)).toBe("CONNECTION_RESET");
  },
);

// Only the sequence number matters.
row(
  91,
  "a RST without ACK resets too",
  `${accepted()}
  +0 < R 1:1(0)
  +0 expect state CLOSED
  +0 expect error CONNECTION_RESET`,
);

// It may be forged, or segments before it were lost.
row(
  92,
  "a RST elsewhere in the window draws a challenge ACK",
  `${accepted()}
  +0  < R 2:2(0)
  +0  > . 1:1(0) ack 1
  +1  < R. 60000:60000(0) ack 1
  +0  > . 1:1(0) ack 1
  +0  expect state ESTABLISHED`,
);

// Far above and just below.
row(
  93,
  "a RST outside the window is dropped silently",
  `${accepted()}
  +0 < R 5000000:5000000(0)
  +0 < R 0:0(0)
  +0 < R. -5000:-5000(0) ack 1
  +1 expect state ESTABLISHED`,
);

// A restarted peer answers the ACK with a RST that is accepted.
row(
  94,
  "a SYN with any SEQ draws a challenge ACK",
  `${accepted()}
  +0 < S 1:1(0) win 1000
  +0 > . 1:1(0) ack 1
  +1 < S 9000000:9000000(0) win 1000
  +0 > . 1:1(0) ack 1
  +1 < S. 0:0(0) ack 1
  +0 > . 1:1(0) ack 1
  +0 expect state ESTABLISHED
  +0 < R 1:1(0)
  +0 expect state CLOSED`,
);

// One in 500 ms, for any kind of segment.
row(
  95,
  "challenge ACKs are throttled, also for a SYN with text",
  `${accepted()}
  +0  < S 1:101(100) win 1000
  +0  > . 1:1(0) ack 1
  +.1 < S 1:101(100) win 1000
  +.1 < R 2:2(0)
  +.1 < S -5000:-4900(100) win 1000
  +.2 < S 1:101(100) win 1000
  +0  > . 1:1(0) ack 1
  +0  expect readable 0`,
);

// 100 bytes were sent and not acknowledged, 200 received.
row(
  96,
  "a challenge ACK has the current SND.NXT and RCV.NXT",
  `${accepted()}
  +0  < P. 1:201(200) ack 1
  +0  write 100
  +0  > P. 1:101(100) ack 201
  +0  < R 250:250(0)
  +0  > . 101:101(0) ack 201`,
);

// Data sent by the peer before its failure is kept.
row(
  97,
  "data received before a RST can be read",
  `${accepted()}
  +0 < P. 1:101(100) ack 1
  +0 < R 101:101(0)
  +0 expect state CLOSED
  +0 read 60
  +0 read 100 = 40
  +0 read 1 = CONNECTION_RESET`,
);

// 101 to 201 never came.
row(
  98,
  "with a gap before the RST, the in-order part is read, then the error",
  `${accepted()}
  +0 < P. 1:101(100) ack 1
  +0 < P. 201:301(100) ack 1
  +0 > . 1:1(0) ack 101
  +0 < R 101:101(0)
  +0 read 1000 = 100
  +0 read 1 = CONNECTION_RESET`,
);

// Unsent data is dropped.
row(
  99,
  "abort() sends RST",
  `${accepted("mss 1000", 1000)}
  +0 write 5000
  +0 > . 1:1001(1000) ack 1
  +0 abort
  +0 > R. 1001:1001(0) ack 1
  +0 expect state CLOSED
  +0 expect connections 0`,
);

// The peer has to learn that its data was not read.
row(
  100,
  "close() with unread text sends RST",
  `${accepted()}
  +0 < P. 1:101(100) ack 1
  +0 close
  +0 > R. 1:1(0) ack 101
  +0 expect connections 0`,
);

// Our FIN had number 1.
row(
  101,
  "the same after our FIN: RST with SEQ=SND.NXT",
  `${accepted()}
  +0   closeWrite
  +0   > F. 1:1(0) ack 1
  +.01 < P. 1:101(100) ack 2
  +.04 > . 2:2(0) ack 101
  +0   close
  +0   > R. 2:2(0) ack 101`,
);

// Whether there is something to send or not.
row(
  102,
  "close() with linger 0 sends RST at once",
  `${accepted()}
  +0 linger 0
  +0 close
  +0 > R. 1:1(0) ack 1
  +0 expect connections 0`,
);
row(
  102,
  "close() with linger 0 sends RST at once",
  "text in flight",
  `${accepted()}
  +0 write 100
  +0 > P. 1:101(100) ack 1
  +0 linger 0
  +0 close
  +0 > R. 101:101(0) ack 1`,
);

// close() resolves when the peer has acknowledged the FIN, or after the linger time.
row(
  103,
  "close() with linger n waits for the last ACK, at most n seconds",
  "acknowledged",
  async () => {
    await using peer = new ApiPeer();
    const { socket, syn } = await peer.connected();
    socket.setLinger(5);
    let settled = false;
    const closing = socket.close().then(() => settled = true);
    const fin = await peer.sent();
    expect(fin.flags & 1).toBe(1);
    await peer.clock.advance(100);
    expect(settled).toBe(false);
    peer.reply(syn, { flags: 17, seq: 1, ack: syn.seq + 2 });
    await peer.clock.runUntil(closing, { limitMs: 10 });
  },
);
row(
  103,
  "close() with linger n waits for the last ACK, at most n seconds",
  "silent peer",
  async () => {
    await using peer = new ApiPeer();
    const { socket } = await peer.connected();
    socket.setLinger(5);
    const before = peer.clock.now();
    await peer.clock.runUntil(socket.close().catch(() => {}), { limitMs: 60_000 });
    expect(peer.clock.now() - before).toBeLessThanOrEqual(5001);
    expect(peer.clock.now() - before).toBeGreaterThanOrEqual(4999);
  },
);

// It cannot be read any more.
row(
  104,
  "text after both directions closed draws RST",
  `${accepted()}
  +0   close
  +0   > F. 1:1(0) ack 1
  +.01 < P. 1:101(100) ack 2
  +0   > R. 2:2(0) ack 1
  +0   expect connections 0`,
);
row(
  104,
  "text after both directions closed draws RST",
  "FIN-WAIT-2",
  `${accepted()}
  +0   close
  +0   > F. 1:1(0) ack 1
  +.01 < . 1:1(0) ack 2
  +.01 < P. 1:101(100) ack 2
  +0   > R. 2:2(0) ack 1
  +0   < P. 1:101(100) ack 2
  +0   > R 2:2(0)`,
);
