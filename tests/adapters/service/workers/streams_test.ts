import { describe, expect, test } from "bun:test";
import type {
  EventLogSource,
  OpenedStream,
} from "../../../../adapters/service/inspection/stream_source.ts";
import { RemoteStreams, ServedStreams } from "../../../../adapters/service/workers/streams.ts";

const SOURCE: EventLogSource = { type: "event-log", id: "a-b", format: "ndjson", maxEvents: 100 };

/** A worker's streams and the main thread's, connected as by messages. */
function connected(open: (source: EventLogSource) => OpenedStream | undefined) {
  const served = new ServedStreams(
    (source) => open(source as EventLogSource),
    (event) => queueMicrotask(() => remote.take(event)),
  );
  const remote: RemoteStreams = new RemoteStreams((request) =>
    queueMicrotask(() => void served.handle(request))
  );
  return { served, remote };
}

function counting(upTo: number): { stream: OpenedStream; state: { read: number; open: boolean } } {
  const state = { read: 0, open: true };
  const stream: OpenedStream = new ReadableStream({
    pull(controller) {
      if (state.read < upTo) return controller.enqueue(new Uint8Array([++state.read]));
      state.open = false;
      controller.close();
    },
    cancel: () => void (state.open = false),
  }, { highWaterMark: 0 });
  return { stream, state };
}

describe("RemoteStreams", () => {
  // Chunks in order, then the end; the worker forgets the stream.
  test("passes a stream of the worker on", async () => {
    const { stream, state } = counting(3);
    const { served, remote } = connected(() => stream);
    const opened = await remote.open(SOURCE);
    const bytes = new Uint8Array(await new Response(opened).arrayBuffer());
    expect([...bytes]).toEqual([1, 2, 3]);
    expect([state.open, served.count]).toEqual([false, 0]);
  });

  // A reader that stops: nothing is read ahead.
  test("asks for a chunk only when it is read", async () => {
    const { stream, state } = counting(1000);
    const { served, remote } = connected(() => stream);
    const reader = (await remote.open(SOURCE))!.getReader();
    await reader.read();
    await reader.read();
    await new Promise((resolve) => setTimeout(resolve));
    expect(state.read).toBe(2);
    await reader.cancel();
    await new Promise((resolve) => setTimeout(resolve));
    expect([state.open, served.count]).toEqual([false, 0]);
  });

  // Several at once do not mix.
  test("keeps streams apart, and says which are not there", async () => {
    const { remote } = connected((source) =>
      source.id === "gone" ? undefined : counting(Number(source.id)).stream
    );
    const all = await Promise.all(
      ["1", "gone", "3"].map((id) => remote.open({ ...SOURCE, id })),
    );
    expect(all.map((one) => one === undefined)).toEqual([false, true, false]);
    const sizes = await Promise.all(
      [all[0], all[2]].map(async (one) => (await new Response(one).arrayBuffer()).byteLength),
    );
    expect(sizes).toEqual([1, 3]);
  });

  // The worker continues, because it serves connections.
  test("ends a stream whose source fails", async () => {
    const failing: OpenedStream = new ReadableStream({
      pull: () => Promise.reject(new Error("a fault")),
    }, { highWaterMark: 0 });
    const { served, remote } = connected(() => failing);
    const reader = (await remote.open(SOURCE))!.getReader();
    expect(await reader.read()).toEqual({ done: true, value: undefined });
    expect(served.count).toBe(0);
  });

  // A worker that fails answers nothing more.
  test("end when the worker has ended", async () => {
    const requests: string[] = [];
    const remote = new RemoteStreams(({ type, stream }) => {
      requests.push(type);
      if (type === "open") {
        queueMicrotask(() => remote.take({ type: "opened", stream, found: true }));
      }
    });
    const reader = (await remote.open(SOURCE))!.getReader();
    const reading = reader.read();
    await Promise.resolve();
    remote.end();
    expect(await reading).toEqual({ done: true, value: undefined });
    expect(await remote.open(SOURCE)).toBe(undefined);
    expect(requests).toEqual(["open", "pull"]);
  });
});
