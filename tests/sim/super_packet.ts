const FIN_AND_PSH = 0x09;

/**
 * Segments a TCP super-packet as TSO does: text in pieces of `segmentSize`, FIN and PSH only on the
 * last. TCP checksums stay partial.
 */
export function cutSuperPacket(
  packet: Uint8Array<ArrayBuffer>,
  segmentSize: number,
): Uint8Array<ArrayBuffer>[] {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  const ipLength = packet[0]! >>> 4 === 4 ? 20 : 40;
  const headerLength = ipLength + (packet[ipLength + 12]! >>> 4) * 4;
  const seq = view.getUint32(ipLength + 4);
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for (let at = headerLength; at < packet.length; at += segmentSize) {
    const text = packet.subarray(at, at + segmentSize);
    const piece = new Uint8Array(headerLength + text.length);
    piece.set(packet.subarray(0, headerLength));
    piece.set(text, headerLength);
    const header = new DataView(piece.buffer);
    header.setUint32(ipLength + 4, seq + at - headerLength);
    if (at + segmentSize < packet.length) piece[ipLength + 13]! &= ~FIN_AND_PSH;
    setIpLength(header, piece.length, ipLength);
    pieces.push(piece);
  }
  return pieces;
}

function setIpLength(header: DataView, length: number, ipLength: number): void {
  if (ipLength === 40) {
    header.setUint16(4, length - 40);
    return;
  }
  header.setUint16(2, length);
  header.setUint16(10, 0);
  let sum = 0;
  for (let at = 0; at < 20; at += 2) sum += header.getUint16(at);
  header.setUint16(10, ~((sum & 0xffff) + (sum >>> 16)));
}
