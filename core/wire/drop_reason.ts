/**
 * Reasons to drop a packet. Input from a peer never throws; it is counted under one of these.
 *
 * @module
 */

/** Each is a counter `drop.<reason>` in `stack.stats()`. */
export type DropReason =
  // IP
  | "ip-short" // shorter than a header, or than the length field
  | "ip-version" // neither 4 nor 6
  | "ip-header" // an invalid length or extension header
  | "ip-checksum" // IPv4 header checksum
  | "ip-option" // malformed, or unknown and not skippable  RFC 791 3.1, RFC 8200 4.2
  | "ip-source-route" // with hops left, and we do not forward  RFC 1122 3.3.5, RFC 8200 4.4
  | "ip-extension" // hop-by-hop options not first, or too many headers  RFC 8200 4.1, RFC 8883
  | "ip-fragment-length" // empty, or not a multiple of 8  RFC 791 3.2, RFC 8200 4.5
  | "ip-fragment-size" // reaches beyond 65,535 bytes  RFC 8200 4.5
  | "ip-fragment-header" // the first fragment does not hold all headers  RFC 7112 5, RFC 1858 3
  | "ip-fragment-overlap" // of a datagram with overlapping fragments  RFC 5722 4, RFC 1858 4
  | "ip-fragment-duplicate" // received before  RFC 8200 4.5
  | "ip-fragment-ecn" // both CE and Not-ECT  RFC 3168 5.3
  | "ip-fragment-timeout" // not all fragments arrived in time  RFC 8200 4.5
  | "ip-fragment-limit" // evicted for lack of memory, or too many fragments
  | "ip-source" // not a valid source address  RFC 1122 3.2.1.3, RFC 4291 2.5
  | "ip-destination" // not a valid destination on a link  RFC 1122 3.2.1.3, RFC 4291 2.5
  | "ip-own-source" // received from the link with one of our addresses as its source
  | "not-ours" // the destination is not an address of this stack
  | "protocol" // neither TCP, UDP nor ICMP
  // TCP
  | "tcp-short"
  | "tcp-offset" // data offset below 5 or beyond the segment
  | "tcp-checksum"
  | "tcp-port" // port 0
  | "tcp-no-connection" // answered with a RST, unless the segment is a RST
  | "tcp-rst-listen" // RFC 9293 3.10.7.2, first
  | "tcp-flags-listen" // neither SYN, ACK nor RST to a listener
  | "tcp-not-unicast" // no connection, and the source address is not unicast  RFC 9293 3.9.2.3
  | "tcp-backlog" // listener's backlog is full
  | "tcp-connections" // the stack's connection limit is reached
  | "tcp-syn-pending" // the SYN is waiting for a decision
  | "tcp-syn-ignored" // the decision was not to answer
  | "tcp-syn-sent" // not acceptable in SYN-SENT  RFC 9293 3.10.7.3
  | "tcp-sequence" // outside the window  RFC 9293 3.10.7.4, first
  | "tcp-rst-sequence" // RST outside the window or a challenge  RFC 5961 3
  | "tcp-syn-challenge" // SYN in a synchronized state  RFC 5961 4
  | "tcp-no-ack" // segment without ACK  RFC 9293 3.10.7.4, fifth
  | "tcp-ack-unsent" // ACK of data not yet sent
  | "tcp-ack-old" // ACK far below SND.UNA  RFC 5961 5
  | "tcp-paws" // old timestamp  RFC 7323 5.3
  | "tcp-no-room" // too many gaps in the received data
  | "tcp-frozen" // the connection is frozen, and the queue of packets held for it is full
  | "tcp-closed-text" // text after the application stopped reading
  // ICMP
  | "icmp-short"
  | "icmp-checksum"
  | "icmp-type" // a type that is neither answered nor used
  | "icmp-no-connection" // quotes no connection of this stack, or an invalid SEG.SEQ  RFC 5927 4
  | "icmp-rate" // the reply exceeded the rate limit
  | "icmp-ignored" // the policy does not answer echo requests to this address
  // Messages of other instances
  | "peer-short"
  | "peer-version"
  | "peer-address" // not for this instance, or not from another member
  | "peer-hops" // the packet has crossed too many instances
  | "peer-age" // sent too long ago, or in the future
  | "peer-mac" // the message authentication code is wrong
  | "peer-replay" // received before, or too old to tell
  | "peer-rate" // a segment for another instance exceeded the rate limit
  // UDP
  | "udp-short"
  | "udp-length" // invalid length field
  | "udp-checksum" // wrong, or none over IPv6  RFC 768, RFC 8200 8.1
  | "udp-port" // nothing is bound to the port
  | "udp-no-answer" // source port 0: a flow could not answer
  | "udp-queue" // the receive queue is full
  | "udp-memory" // the memory for all receive queues is used up
  | "udp-unread"; // the flow or socket was closed before the datagram was read
