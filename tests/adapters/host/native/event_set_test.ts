import { describe, expect } from "bun:test";
import process from "node:process";
import { EventSet, type ReadyOwner } from "../../../../adapters/host/native/event_set.ts";
import { nativeSockets } from "../../../../adapters/host/native/sockets.ts";
import { openEventfd } from "../../../../adapters/runtime/libc/host.ts";
import { macrotask } from "../../../../core/api/runtime/macrotask.ts";
import { Program, runtimeCommand } from "../../../support/program.ts";
import { testRequiring } from "../../../support/requirements.ts";

const NEEDS = ["native-sockets"] as const;
const host = nativeSockets()?.host;

/** A set attached to a link, so that nothing happens without `dispatch()`. */
function attached(): EventSet {
  const events = EventSet.open(host!)!;
  events.attach();
  return events;
}

/** Records its calls. */
class Recorder implements ReadyOwner {
  readonly calls: number[] = [];
  onReady(events: number): void {
    this.calls.push(events);
  }
}

function signalled(): number {
  const fd = openEventfd(host!);
  host!.libc.eventfd_write(fd, 1);
  return fd;
}

describe("EventSet", () => {
  // Edge-triggered: readable and writable from the start, then silence.
  testRequiring(NEEDS, "reports a change of readiness once", () => {
    const events = attached();
    const owner = new Recorder();
    const fd = signalled();
    events.add(fd, owner);
    expect(events.dispatch()).toBe(1);
    expect(owner.calls).toEqual([0b101]);
    expect(events.dispatch()).toBe(0);
    events.closed(fd);
    host!.libc.close(fd);
  });

  // The owner of the first descriptor closes the second one, whose number a third one then gets:
  // the event of the second one, which the kernel has already reported, is not attributed to the
  // third one.
  testRequiring(NEEDS, "drops the events of a descriptor that was closed in the same turn", () => {
    const events = attached();
    const late = new Recorder();
    const closed = new Recorder();
    const first = signalled();
    const second = signalled();
    let third = -1;
    events.add(first, {
      onReady() {
        if (third >= 0) return;
        events.closed(second);
        host!.libc.close(second);
        third = openEventfd(host!);
        events.add(third, late);
      },
    });
    events.add(second, closed);
    events.dispatch();
    expect(third).toBe(second);
    expect(closed.calls).toEqual([]);
    expect(late.calls).toEqual([]);
    events.dispatch();
    expect(late.calls).toEqual([0b100]);
    for (const fd of [first, third]) {
      events.closed(fd);
      host!.libc.close(fd);
    }
  });

  // The owner asks to be called again: in the next turn, not in this one.
  testRequiring(NEEDS, "calls an owner again in the next turn", () => {
    const events = attached();
    const owner = new Recorder();
    events.again(owner);
    expect(events.hasMore).toBe(true);
    expect(owner.calls).toEqual([]);
    events.dispatch();
    expect(owner.calls).toEqual([0]);
    expect(events.hasMore).toBe(false);
  });

  // No link is attached and nothing is ready: the set is idle when the owner asks.
  testRequiring(NEEDS, "calls an owner again although the set is idle", async () => {
    const events = EventSet.open(host!)!;
    const fd = openEventfd(host!);
    const ready = Promise.withResolvers<void>();
    const again = Promise.withResolvers<void>();
    const owner = { onReady: (events: number) => (events === 0 ? again : ready).resolve() };
    events.add(fd, owner);
    await ready.promise;
    for (let turn = 0; turn < 10; turn++) await macrotask();
    events.again(owner);
    await again.promise;
    events.closed(fd);
    host!.libc.close(fd);
  });

  // Without a link, the set waits by itself, and the answer arrives. Then the program ends without process.exit().
  testRequiring(NEEDS, "neither needs a link nor keeps the process alive", async () => {
    const command = runtimeCommand("tests/adapters/host/native/dial_and_end.ts");
    const { exit, out, log } = await new Program(command, process.cwd()).finish(20_000);
    expect(log).toBe("");
    expect({ exit, out }).toEqual({ exit: 0, out: "an answer\n" });
  });
});
