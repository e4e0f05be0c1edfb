import { afterEach, describe, expect } from "bun:test";
import process from "node:process";
import {
  connectMessages,
  MessageListener,
} from "../../../../adapters/host/native/message_listener.ts";
import {
  MAX_MESSAGE,
  MessageSocket,
  messageSocketPair,
} from "../../../../adapters/host/native/message_socket.ts";
import { nativeSockets } from "../../../../adapters/host/native/sockets.ts";
import { openEventfd } from "../../../../adapters/runtime/libc/host.ts";
import { testRequiring } from "../../../support/requirements.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const open: MessageSocket[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

/** A socket that keeps what it receives. */
function receiving(descriptor: number, maxWaiting = 1024 * 1024) {
  const messages: { bytes: Bytes; descriptors: readonly number[] }[] = [];
  let [isClosed, wake] = [false, () => {}];
  const socket = MessageSocket.open(nativeSockets()!, descriptor, {
    maxWaiting,
    onMessage(bytes, descriptors) {
      messages.push({ bytes: bytes.slice(), descriptors });
      wake();
    },
    onClose() {
      isClosed = true;
      wake();
    },
  });
  open.push(socket);
  const until = async (isDone: () => boolean) => {
    while (!isDone()) await new Promise<void>((resolve) => wake = resolve);
  };
  return { socket, messages, isClosed: () => isClosed, until };
}

function pair(maxWaiting?: number) {
  const [one, other] = messageSocketPair(nativeSockets()!);
  return [receiving(one, maxWaiting), receiving(other, maxWaiting)] as const;
}

describe("a message socket", () => {
  testRequiring(["native-sockets"], "keeps messages apart, up to the largest", async () => {
    const [one, other] = pair();
    const sizes = [1, MAX_MESSAGE, 7, 65_536];
    for (const size of sizes) expect(one.socket.send(new Uint8Array(size).fill(size))).toBe(true);
    await other.until(() => other.messages.length === sizes.length);
    expect(other.messages.map(({ bytes }) => bytes.length)).toEqual(sizes);
    expect(
      other.messages.every(({ bytes }, i) => bytes.every((byte) => byte === (sizes[i]! & 255))),
    )
      .toBe(true);
  });

  // Each descriptor that arrives is another number for the same eventfd.
  testRequiring(["native-sockets"], "passes descriptors", async () => {
    const { host } = nativeSockets()!;
    const [one, other] = pair();
    const sent = [openEventfd(host), openEventfd(host)];
    expect(one.socket.send(new Uint8Array([1]), sent)).toBe(true);
    await other.until(() => other.messages.length === 1);
    const { descriptors } = other.messages[0]!;
    expect(descriptors.length).toBe(2);
    expect(descriptors.some((each) => sent.includes(each))).toBe(false);
    host.libc.eventfd_write(sent[1]!, 5);
    const value = new Uint8Array(8);
    expect(host.libc.read(descriptors[1]!, value, 8)).toBe(8);
    expect(value[0]).toBe(5);
    for (const each of [...sent, ...descriptors]) host.libc.close(each);
  });

  // The other end does not read, so bytes that the kernel does not accept wait, up to the bound.
  testRequiring(["native-sockets"], "keeps a bounded number of bytes", async () => {
    const maxWaiting = 300_000;
    const [one, other] = pair(maxWaiting);
    other.socket.pause();
    let sent = 0;
    while (one.socket.send(new Uint8Array(50_000))) sent++;
    expect(one.socket.waiting).toBe(maxWaiting);
    other.socket.resume();
    await other.until(() => other.messages.length === sent);
    expect(one.socket.waiting).toBe(0);
  });

  testRequiring(["native-sockets"], "notices that the other end is closed", async () => {
    const [one, other] = pair();
    one.socket.close();
    await other.until(other.isClosed);
    expect(other.socket.send(new Uint8Array(1))).toBe(false);
  });

  // In the abstract namespace every process could connect, so that the peer has to be checked.
  testRequiring(["native-sockets"], "knows the process that has connected", async () => {
    const sockets = nativeSockets()!;
    const name = `berth-test-${crypto.randomUUID()}`;
    const accepted = Promise.withResolvers<number>();
    const listener = MessageListener.open(sockets, name, accepted.resolve);
    const client = receiving(connectMessages(sockets, name));
    const server = receiving(await accepted.promise);
    listener.close();
    expect(server.socket.peer).toEqual({ pid: process.pid, uid: process.getuid!() });
    server.socket.send(new Uint8Array([3]));
    await client.until(() => client.messages.length === 1);
    expect(() => connectMessages(sockets, name)).toThrow("ECONNREFUSED");
  });
});
