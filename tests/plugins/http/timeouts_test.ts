import { describe, expect, test } from "bun:test";
import { settle } from "../../support/fake_socket.ts";
import { latin1, reflect, serve, statuses } from "./support.ts";

const GET = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

describe("a slow client", () => {
  // One byte every 5 s does not extend the 15 s for the whole head.
  test("that sends a head too slowly gets 408 (RFC 9110 15.5.9)", async () => {
    const { send, received, clock, finished, server } = serve(reflect);
    for (const byte of "GE") {
      await send(byte);
      await clock.advance(5000);
    }
    await send("T");
    await clock.advance(4999);
    expect(received()).toBe("");
    await clock.advance(1);
    const text = received();
    expect(statuses(text)).toEqual([408]);
    expect(text).toContain("connection: close\r\n");
    await finished;
    expect(server.ending).toBe("close");
    expect(clock.pending).toBe(0);
  });

  // The rest of the head arrives after the 408: the request is not served.
  test("that is too late is not served", async () => {
    let asked = 0;
    const app = () => new Response(String(asked++));
    const pair = { bufferSize: 10 };
    const { client, server, clock, finished } = serve(app, { collect: false, pair });
    await client.write(latin1("GET / HTTP/1.1\r\n"));
    await clock.advance(15_000);
    expect(server.unreadByPeer).toBe(10);
    await client.write(latin1("Host: h\r\n\r\n"));
    await finished;
    expect(asked).toBe(0);
  });

  // Idle time between requests is not an error: the connection just closes.
  test("that is idle is disconnected after 60 s", async () => {
    const { send, received, clock, server, finished } = serve(reflect);
    await clock.advance(59_999);
    await send(GET);
    expect(statuses(received())).toEqual([200]);
    await clock.advance(59_999);
    expect(server.ending).toBe(undefined);
    await clock.advance(1);
    await finished;
    expect(server.ending).toBe("close");
    expect(received()).toBe("");
  });

  // 30 s between two pieces of a body; each piece restarts the timer.
  test("that stalls within a body gets 408", async () => {
    let error: unknown;
    const app = async (request: Request) => {
      try {
        return new Response(await request.text());
      } catch (reason) {
        error = reason;
        throw reason;
      }
    };
    const { send, received, clock, finished, client, lines } = serve(app);
    await send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n");
    for (let i = 0; i < 5; i++) {
      await clock.advance(29_000);
      await send("x");
    }
    await clock.advance(29_999);
    expect(received()).toBe("");
    await clock.advance(1);
    expect(statuses(received())).toEqual([408]);
    expect(error).toMatchObject({ name: "RequestBodyError", status: 408 });
    expect(lines.filter(({ level }) => level === "error")).toEqual([]);
    await client.closeWrite();
    await finished;
  });

  // The application may take any time.
  test("is not a client that waits for the application", async () => {
    const answer = Promise.withResolvers<Response>();
    const { send, received, clock } = serve(() => answer.promise);
    await send(GET);
    await clock.advance(3_600_000);
    answer.resolve(new Response("at last"));
    await settle();
    expect(statuses(received())).toEqual([200]);
  });

  // It reads a piece every 20 s; 64 KiB within 30 s are required.
  test("that does not read its response for 30 s is aborted", async () => {
    const { client, clock, server, finished } = serve(
      () => new Response(new Uint8Array(1_000_000)),
      { collect: false, pair: { bufferSize: 65_536 } },
    );
    await client.write(latin1(GET));
    const buffer = new Uint8Array(65_536);
    for (let i = 0; i < 5; i++) {
      await clock.advance(20_000);
      await client.read(buffer);
    }
    await clock.advance(29_999);
    expect(server.ending).toBe(undefined);
    await clock.advance(1);
    await finished;
    expect(server.ending).toBe("abort");
    expect(clock.pending).toBe(0);
  });

  // After the last response the client has 2 s to close.
  test("that does not close after the last response is disconnected", async () => {
    const { send, received, clock, server, finished } = serve(reflect);
    await send("GET / HTTP/1.0\r\n\r\n");
    expect(statuses(received())).toEqual([200]);
    expect(server.ended).toBe(true);
    await clock.advance(1999);
    expect(server.ending).toBe(undefined);
    await clock.advance(1);
    await finished;
    expect(server.ending).toBe("close");
  });
});

describe("the timer", () => {
  // 1000 requests in 10 s: it is set once for the idle timeout and once for the first write.
  test("is not reset by every request", async () => {
    let armed = 0;
    const { client, clock } = serve(reflect, { collect: false });
    const schedule = clock.schedule.bind(clock);
    clock.schedule = (at, wake) => {
      armed++;
      return schedule(at, wake);
    };
    const buffer = new Uint8Array(65_536);
    for (let i = 0; i < 1000; i++) {
      await client.write(latin1(GET));
      await client.read(buffer);
      if (i % 100 === 0) await clock.advance(1000);
    }
    expect(armed).toBeLessThan(5);
    expect(clock.pending).toBe(1);
    client.abort();
  });
});
