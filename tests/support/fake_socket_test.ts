import { socketConformance } from "../core/api/tcp/socket_conformance.ts";
import { settle, socketPair } from "./fake_socket.ts";

for (const [name, network] of [["IPv4", "10.0.0."], ["IPv6", "fd00::"]] as const) {
  socketConformance(`FakeSocket over ${name}`, () => {
    const { client, server } = socketPair({
      client: { transport: "tcp", hostname: `${network}1`, port: 50_000 },
      server: { transport: "tcp", hostname: `${network}2`, port: 80 },
    });
    return Promise.resolve({
      socket: server,
      peer: client,
      moreThanFits: 200_000,
      run: (promise) => promise,
      async until(condition) {
        while (!condition()) await settle();
      },
      settle,
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
  });
}
