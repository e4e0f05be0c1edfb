import { expect, test } from "bun:test";
import { inTimeWait } from "../support/dsl/builders.ts";
import { rowsWith } from "./row.ts";
import { accepted } from "./script/preludes.ts";

const row = rowsWith(test);

/** TIME-WAIT, entered at 30 ms; it lasts 60 s. */
function timeWait(options = "mss 1000,sackOK"): string {
  const timestamps = options.includes("TS") ? "<TS val 120 ecr 0>" : "";
  return `${accepted(options)}
    +0   close
    +0   > F. 1:1(0) ack 1
    +.01 < . 1:1(0) ack 2 ${timestamps}
    +.01 < F. 1:1(0) ack 2 ${timestamps}
    +0   > . 2:2(0) ack 2
    +0   expect state TIME-WAIT`;
}

// Then the same ports open a new connection, with any ISN.
row(
  222,
  "it lasts 2 MSL, then the ports are free",
  `${timeWait()}
  60   expect state TIME-WAIT
  60.1 expect connections 0
  +0   < S -1000:-1000(0) win 1000
  +0   > S. 0:0(0) ack -999`,
);

// 40 s later the peer retransmits its FIN: 60 s from then.
row(
  223,
  "a retransmitted FIN is acknowledged and restarts it",
  `${timeWait()}
  40    < F. 1:1(0) ack 2
  +0    > . 2:2(0) ack 2
  99    expect state TIME-WAIT
  100.1 expect connections 0`,
);

// The segment may belong to the old connection.
row(
  224,
  "a segment out of order draws an ACK",
  `${timeWait()}
  +0 < . 50000000:50000000(0) ack 2
  +0 > . 2:2(0) ack 2
  +1 < P. -500:-400(100) ack 2
  +0 > . 2:2(0) ack 2
  +0 expect state TIME-WAIT`,
);

// The SYN has a higher sequence number or a later timestamp.
row(
  225,
  "a new SYN opens a new connection",
  "sequence",
  `${timeWait()}
  +1   < S 5000:5000(0) win 1000 <mss 1000>
  +0   > S. 0:0(0) ack 5001
  +.01 < . 5001:5001(0) ack 1
  +0   accept
  +0   expect state ESTABLISHED`,
);
row(
  225,
  "a new SYN opens a new connection",
  "timestamps",
  `${timeWait("mss 1000,TS val 100 ecr 0")}
  +1   < S -5000:-5000(0) win 1000 <mss 1000,TS val 1200 ecr 0>
  +0   > S. 0:0(0) ack -4999`,
);
row(
  225,
  "a new SYN opens a new connection",
  "old",
  `${timeWait("mss 1000,TS val 100 ecr 0")}
  +1   < S -5000:-5000(0) win 1000 <mss 1000,TS val 90 ecr 0>
  +0   > . 2:2(0) ack 2
  +0   expect state TIME-WAIT`,
);

// 100,000 bytes within 70 ms: the ISN clock alone would be below them.
row(
  250,
  "a connection that replaces one in TIME-WAIT starts above its sequence numbers",
  () => {
    const t = inTimeWait({ tcp: { timestamps: false } });
    t.tcb.sndNxt = (t.tcb.sndNxt + 100_000) | 0;
    const { sndNxt } = t.tcb;
    const next = t.other({ irs: t.irs + 100_000 });
    next.send({ flags: "S", options: { mss: 1000 } });
    next.recv({ flags: "S.", ack: 1 });
    expect((next.tcb.iss - sndNxt) | 0).toBeGreaterThan(0);
  },
);

// There is no listener.
row(
  250,
  "a connection that replaces one in TIME-WAIT starts above its sequence numbers",
  "nobody listens",
  `${timeWait()}
  +0 closeListener
  +1 < S 5000:5000(0) win 1000 <mss 1000>
  +0 > . 2:2(0) ack 2
  +0 expect state TIME-WAIT`,
);

// A RST does not end TIME-WAIT, whatever its sequence number, because TIME-WAIT keeps old segments from a new
// connection.
row(
  226,
  "a RST does not end it",
  `${timeWait()}
  +0 < R 2:2(0)
  +0 < R. 2:2(0) ack 2
  +0 < R 100:100(0)
  +0 < R -100:-100(0)
  +1 expect state TIME-WAIT`,
);

// The text follows the FIN.
row(
  227,
  "no text is accepted after the FIN",
  `${timeWait()}
  +0 < P. 2:102(100) ack 2
  +0 ignoreAcks
  +0 expect readable 0
  +0 expect state TIME-WAIT`,
);
