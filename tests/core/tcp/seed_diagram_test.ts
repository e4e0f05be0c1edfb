import { describe, expect, test } from "bun:test";
import {
  inCloseWait,
  inClosing,
  inEstablished,
  inFinWait1,
  inFinWait2,
  inListen,
  inSynReceived,
} from "../../support/dsl/builders.ts";

for (const version of [4, 6] as const) {
  describe(`profile local over IPv${version}`, () => diagram(version));
}

function diagram(version: 4 | 6): void {
  // CLOSED -> LISTEN, appl: listen. A SYN to that port is no longer refused.
  test("CLOSED becomes LISTEN by listen (RFC 9293 3.10.1)", () => {
    const t = inListen({ version });
    t.send({ flags: "S", options: { mss: 1000 } });
    t.recv({ flags: "S.", ack: 1 });
  });

  // LISTEN -> SYN_RCVD, recv: SYN, send: SYN,ACK.
  test("LISTEN answers SYN with SYN,ACK (RFC 9293 3.10.7.2)", () => {
    const t = inListen({ version });
    t.send({ flags: "S", options: { mss: 1000 } });
    t.recv({ flags: "S.", ack: 1, options: { mss: version === 4 ? 1460 : 1440 } });
    expect(t.state).toBe("SYN-RECEIVED");
    t.recvNothing();
  });

  // SYN_RCVD -> ESTABLISHED, recv: ACK, send: nothing.
  test("SYN-RECEIVED becomes ESTABLISHED by an ACK (RFC 9293 3.10.7.4)", () => {
    const t = inSynReceived({ version });
    t.send();
    expect(t.state).toBe("ESTABLISHED");
    t.recvNothing();
  });

  // SYN_RCVD -> CLOSED, appl: close(lsn_fd), send: RST.
  test("SYN-RECEIVED is reset when its listener is closed (RFC 9293 3.10.4)", () => {
    const t = inListen({ version });
    const listener = t.wire.listen(81);
    const late = t.other({ localPort: 81 });
    late.send({ flags: "S" });
    late.recv({ flags: "S.", ack: 1 });
    expect(late.state).toBe("SYN-RECEIVED");
    t.wire.step((stack) => stack.tcp.closeListener(listener));
    late.recv({ flags: "R.", seq: 1, ack: 1 });
    expect(late.state).toBe("CLOSED");
    expect(late.isForgotten).toBe(true);
  });

  // ESTABLISHED -> FIN_WAIT_1, appl: shutdown, send: FIN.
  test("ESTABLISHED becomes FIN-WAIT-1 by closeWrite (RFC 9293 3.6)", () => {
    const t = inEstablished({ version });
    t.closeWrite();
    t.recv({ flags: "F.", seq: 1, ack: 1 });
    expect(t.state).toBe("FIN-WAIT-1");
  });

  // FIN_WAIT_1 -> FIN_WAIT_2, recv: ACK, send: nothing.
  test("FIN-WAIT-1 becomes FIN-WAIT-2 by the ACK of its FIN (RFC 9293 3.10.7.4)", () => {
    const t = inFinWait1({ version });
    t.send({ ack: 2 });
    expect(t.state).toBe("FIN-WAIT-2");
    t.recvNothing();
  });

  // FIN_WAIT_2 -> CLOSING, recv: FIN, send: RST. The FIN is acknowledged first, so that a peer that
  // has closed finds its own closing finished.
  test("FIN-WAIT-2 becomes CLOSING by a FIN and sends RST (RFC 9293 3.10.7.4)", () => {
    const t = inFinWait2({ version });
    t.send({ flags: "F." });
    t.recv({ seq: 2, ack: 2 });
    t.recv({ flags: "R.", seq: 2, ack: 2 });
    expect(t.state).toBe("CLOSING");
    expect(t.isForgotten).toBe(true);
  });

  // Both transitions at once: a FIN that acknowledges ours.
  test("FIN-WAIT-1 becomes CLOSING by a FIN that acknowledges its own (RFC 9293 3.10.7.4)", () => {
    const t = inFinWait1({ version });
    t.send({ flags: "F.", ack: 2 });
    t.recv({ seq: 2, ack: 2 });
    t.recv({ flags: "R.", seq: 2, ack: 2 });
    expect(t.state).toBe("CLOSING");
  });

  // ESTABLISHED -> CLOSE_WAIT, recv: FIN, send: ACK.
  test("ESTABLISHED becomes CLOSE-WAIT by a FIN and acknowledges it (RFC 9293 3.10.7.4)", () => {
    const t = inEstablished({ version });
    t.send({ flags: "F." });
    t.recv({ ack: 2 });
    expect(t.state).toBe("CLOSE-WAIT");
  });

  // CLOSE_WAIT -> CLOSING, appl: shutdown, send: FIN.
  test("CLOSE-WAIT becomes CLOSING by closeWrite (RFC 9293 3.6)", () => {
    const t = inCloseWait({ version });
    t.closeWrite();
    t.recv({ flags: "F.", seq: 1, ack: 2 });
    expect(t.state).toBe("CLOSING");
  });

  // ESTABLISHED -> CLOSED, appl: close, send: RST. The FIN before it gives the peer end of file
  // instead of an error. The RST waits for the peer's FIN, since in CLOSE-WAIT Linux reports an
  // error.
  test("ESTABLISHED is reset by close once the peer has closed (RFC 9293 3.6)", () => {
    const t = inEstablished({ version });
    t.close();
    t.recv({ flags: "F.", seq: 1, ack: 1 });
    t.send({ ack: 2 });
    t.recvNothing();
    t.send({ flags: "F." });
    t.recv({ seq: 2, ack: 2 });
    t.recv({ flags: "R.", seq: 2 });
    expect(t.state).toBe("CLOSED");
    expect(t.tcb.error).toBe(undefined);
  });

  // CLOSE_WAIT -> CLOSED, appl: close, send: RST.
  test("CLOSE-WAIT is reset by close once its FIN is acknowledged (RFC 9293 3.6)", () => {
    const t = inCloseWait({ version });
    t.close();
    t.recv({ flags: "F.", seq: 1, ack: 2 });
    t.send({ ack: 2 });
    t.recv({ flags: "R.", seq: 2 });
    expect(t.state).toBe("CLOSED");
    expect(t.tcb.error).toBe(undefined);
  });

  // CLOSING -> CLOSED, appl: close, send: RST: both FINs are acknowledged, so it goes at once.
  test("CLOSING is reset by close (RFC 9293 3.10.4)", () => {
    const t = inClosing({ version });
    t.send({ ack: 2 });
    expect(t.state).toBe("CLOSING");
    t.close();
    t.recv({ flags: "R.", seq: 2 });
    expect(t.state).toBe("CLOSED");
    expect(t.isForgotten).toBe(true);
  });

  // The RST was already sent in response to the peer's FIN: nothing is sent twice.
  test("CLOSING after a RST becomes CLOSED by close (RFC 9293 3.10.4)", () => {
    const t = inFinWait2({ version });
    t.send({ flags: "F.", data: 3 });
    t.recv({ ack: 1 });
    expect(t.read()).toBe(3);
    t.recv({ ack: 5 });
    t.recv({ flags: "R." });
    t.close();
    expect(t.state).toBe("CLOSED");
    expect(t.tcb.error).toBe(undefined);
    t.recvNothing();
  });
}
