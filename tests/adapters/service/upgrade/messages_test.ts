import { describe, expect, test } from "bun:test";
import type { GenerationEndpoint } from "../../../../core/stack/sharding/generations.ts";
import {
  endpointMessages,
  KIND,
  packetMessage,
  readEndpoints,
  readPacket,
} from "../../../../adapters/service/upgrade/messages.ts";
import { MAX_MESSAGE } from "../../../../adapters/host/native/message_socket.ts";
import { IpAddress } from "../../../../core/wire/address.ts";

describe("messages between processes", () => {
  test("carry the largest packet", () => {
    const packet = new Uint8Array(65_535).fill(7);
    const bytes = packetMessage({ asked: 2 ** 32 - 1, segmentSize: 1460, packet });
    expect(bytes.length).toBeLessThan(MAX_MESSAGE);
    expect(readPacket(bytes)).toEqual({ asked: 2 ** 32 - 1, segmentSize: 1460, packet });
  });

  // Both families, more than fit into one message; a part of an endpoint is left out.
  test("carry endpoints", () => {
    const endpoints = Array.from({ length: 2500 }, (_, i): GenerationEndpoint => ({
      protocol: i % 2 === 0 ? 6 : 17,
      local: IpAddress.parse(i % 3 === 0 ? "10.0.0.2" : "fd00::2")!,
      localPort: 80,
      remote: IpAddress.parse(i % 3 === 0 ? "10.0.0.1" : "fd00::1")!,
      remotePort: i,
      generation: 1 + i % 5,
      ...i % 4 === 0 && { mark: i % 256 },
    }));
    const messages = Array.from(endpointMessages(endpoints), (bytes) => bytes.slice());
    expect(messages.map((bytes) => [bytes[0], bytes.length < MAX_MESSAGE]))
      .toEqual(new Array(3).fill([KIND.ENDPOINTS, true]));
    expect(messages.flatMap(readEndpoints)).toEqual(endpoints);
    expect(readEndpoints(messages[2]!.slice(0, -1)).length).toBe(499);
    expect([...endpointMessages([])]).toEqual([]);
  });

  test("that are too short are not messages", () => {
    for (let size = 0; size <= 8; size++) {
      expect(readPacket(new Uint8Array(size).fill(KIND.PACKET))).toBe(undefined);
    }
  });
});
