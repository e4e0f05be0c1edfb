import { expect, test } from "bun:test";
import { inEstablished } from "../support/dsl/builders.ts";
import { ApiPeer } from "./api_peer.ts";
import { rowsWith } from "./row.ts";
import { accepted } from "./script/preludes.ts";

const row = rowsWith(test);
const internet = { profile: "internet" } as const;

// The window allows 4,500 bytes, slow start 10 segments.
row(
  134,
  "text is sent in MSS-sized segments within min(cwnd, window)",
  "window",
  `${accepted("mss 1000", 4000)}
  +0   write 10000
  +0   > . 1:4001(4000) ack 1 x1000
  +.01 < . 1:1(0) ack 4001 win 5000
  +0   > . 4001:9001(5000) ack 1 x1000`,
);
row(
  134,
  "text is sent in MSS-sized segments within min(cwnd, window)",
  "congestion window",
  `${accepted("mss 1000")}
  +0   write 15000
  +0   > . 1:10001(10000) ack 1 x1000
  +.01 < . 1:1(0) ack 2001
  +0   > . 10001:14001(4000) ack 1 x1000`,
);

// 65,535 is not -1.
row(
  135,
  "the window is unsigned",
  `set congestion=unacked
  ${accepted("mss 1000", 65535)}
  +0   write 100000
  +0   > . 1:65001(65000) ack 1 x1000
  +.01 < . 1:1(0) ack 65001 win 32768
  +0   > . 65001:97001(32000) ack 1 x1000`,
);

// The application writes as soon as the handshake is complete.
row(
  136,
  "a window of 0 in the SYN that opens with the ACK needs no probe",
  `0    listen
  +0   < S 0:0(0) win 0 <mss 1000>
  +0   > S. 0:0(0) ack 1
  +.01 < . 1:1(0) ack 1 win 2000
  +0   accept
  +0   write 1000
  +0   > P. 1:1001(1000) ack 1`,
);

// Two writes, two segments each.
row(
  137,
  "PSH is on the last segment of a write",
  `${accepted("mss 1000")}
  +0 write 1500
  +0 > . 1:1001(1000) ack 1
  +0 > P. 1001:1501(500) ack 1
  +0 write 2000
  +0 > . 1501:2501(1000) ack 1
  +0 > P. 2501:3501(1000) ack 1`,
);

// From 5,000 to 1,000 with 4,000 in flight: nothing new until it is acknowledged.
row(
  138,
  "a window that shrinks below the flight size does no harm",
  `${accepted("mss 1000", 4000)}
  +0    write 8000
  +0    > . 1:4001(4000) ack 1 x1000
  +.01  < . 1:1(0) ack 1001 win 1000
  +.2~.5 > . 1001:2001(1000) ack 1
  +.01  < . 1:1(0) ack 4001 win 2000
  +0    > . 4001:6001(2000) ack 1 x1000`,
);

// A window of 1,500 bytes after one of 65,535: a whole segment is sent, half of one is held.
row(
  139,
  "a segment larger than the window is split or held",
  "held",
  `${accepted("mss 1000", 1500)}
  +0   write 3000
  +0   > . 1:1001(1000) ack 1
  +.01 < . 1:1(0) ack 1001 win 2500
  +0   > . 1001:3001(2000) ack 1 x1000`,
);
row(
  139,
  "a segment larger than the window is split or held",
  "split",
  `0    listen
  +0   < S 0:0(0) win 400 <mss 1000>
  +0   > S. 0:0(0) ack 1
  +.01 < . 1:1(0) ack 1 win 400
  +0   accept
  +0   write 1000
  +0   > . 1:401(400) ack 1
  +.01 < . 1:1(0) ack 401 win 400
  +0   > . 401:801(400) ack 1
  +.01 < . 1:1(0) ack 801 win 400
  +0   > P. 801:1001(200) ack 1`,
);

// The first small segment is sent; the second waits for its ACK.
row(
  140,
  "Nagle: with text in flight a small segment waits",
  `set noDelay=false
  ${accepted("mss 1000")}
  +0   write 100
  +0   > P. 1:101(100) ack 1
  +0   write 100
  +.01 < . 1:1(0) ack 101
  +0   > P. 101:201(100) ack 1`,
);

// With timestamps 988 bytes are a full segment.
row(
  141,
  "Nagle never holds a full-sized segment, options counted",
  `set noDelay=false
  ${accepted("mss 1000,TS val 100 ecr 0")}
  +0   write 100
  +0   > P. 1:101(100) ack 1
  +0   write 988
  +0   > P. 101:1089(988) ack 1
  +0   write 1000
  +0   > . 1089:2077(988) ack 1
  +.01 < . 1:1(0) ack 2077 <TS val 120 ecr 10>
  +0   > P. 2077:2089(12) ack 1`,
);

// By the application, while data is held.
row(
  142,
  "Nagle can be turned off",
  `set noDelay=false
  ${accepted("mss 1000")}
  +0   write 100
  +0   > P. 1:101(100) ack 1
  +0   write 100
  +.01 noDelay on
  +0   > P. 101:201(100) ack 1
  +0   write 100
  +0   > P. 201:301(100) ack 1`,
);

// The FIN is not delayed.
row(
  143,
  "close() sends the last small segment, with FIN on it",
  `set noDelay=false
  ${accepted("mss 1000")}
  +0 write 100
  +0 > P. 1:101(100) ack 1
  +0 write 100
  +0 close
  +0 > FP. 101:201(100) ack 1`,
);

// Three writes become a full segment and a remainder.
row(
  144,
  "cork holds and joins, uncork releases",
  `${accepted("mss 1000")}
  +0 cork on
  +0 write 400
  +0 write 400
  +.05 write 400
  +0 > . 1:1001(1000) ack 1
  +.05 cork off
  +0 > P. 1001:1201(200) ack 1`,
);

// 30 writes of 100 bytes while the first is in flight.
row(
  145,
  "pending small writes are joined into full segments",
  `set noDelay=false
  ${accepted("mss 1000")}
  +0   write 100
  +0   > P. 1:101(100) ack 1
  +0   write 100
  +0   write 300
  +0   write 300
  +0   write 200
  +0   write 200
  +0   > . 101:1101(1000) ack 1 x1000
  +.01 < . 1:1(0) ack 1101
  +0   > P. 1101:1201(100) ack 1`,
);

// Neither now nor when the timer expires.
row(
  146,
  "a write of no bytes sends nothing and breaks nothing",
  `${accepted("mss 1000")}
  +0   write 0
  +1   write 10
  +0   > P. 1:11(10) ack 1
  +0   write 0
  +.21~.3 > P. 1:11(10) ack 1
  +.01 < . 1:1(0) ack 11
  +0   write 0
  +1   expect state ESTABLISHED`,
);

// 40 times through a buffer of 4,096 bytes, in pieces that are no divisor of its size.
row(147, "the send buffer wraps around correctly", () => {
  const t = inEstablished({ ...internet, tcp: { sendBuffer: 4096 } });
  for (let i = 0; i < 120; i++) {
    expect(t.write(1367)).toBe(1367);
    expect(t.recvAll().reduce((sum, { text }) => sum + text.length, 0)).toBe(1367);
    t.send();
  }
});

// Data that cannot be sent is not accepted.
row(148, "writing after close(), closeWrite() or a RST is an error", "close()", async () => {
  for (const how of ["close", "closeWrite"] as const) {
    await using peer = new ApiPeer();
    const { socket } = await peer.connected();
    void socket[how]();
    const code = await socket.write(new Uint8Array(1)).catch((error) => error.code);
    expect(code).toBe("CLOSING");
    socket.abort();
  }
});
row(148, "writing after close(), closeWrite() or a RST is an error", "RST", async () => {
  await using peer = new ApiPeer();
  const { socket, syn } = await peer.connected();
  peer.reply(syn, { flags: 4, seq: 1, ack: 0 });
  await peer.settle();
  const code = await socket.write(new Uint8Array(1)).catch((error) => error.code);
  expect(code).toBe("CONNECTION_RESET");
});
