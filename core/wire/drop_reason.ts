/**
 * Why a packet was dropped. Input from a peer never throws: it is counted under one of these.
 *
 * @module
 */

/** Each is a counter `drop.<reason>` in `stack.stats()`. */
export type DropReason =
  // IP
  | "ip-short" // shorter than its header or its length field says
  | "ip-version" // neither 4 nor 6
  | "ip-header" // a length or an extension header that cannot be
  | "ip-checksum" // IPv4 header checksum
  | "ip-option" // malformed, or unknown and not to be skipped       RFC 791 3.1, RFC 8200 4.2
  | "ip-source-route" // has hops left that are not here            RFC 1122 3.3.5, RFC 8200 4.4
  | "ip-extension" // hop-by-hop options elsewhere than first, or too many  RFC 8200 4.1, RFC 8883
  | "ip-fragment-length" // empty, or not a multiple of 8        RFC 791 3.2, RFC 8200 4.5
  | "ip-fragment-size" // reaches beyond 65,535 bytes              RFC 8200 4.5
  | "ip-fragment-header" // the first one cuts a header            RFC 7112 5, RFC 1858 3
  | "ip-fragment-overlap" // of a datagram with contradictions     RFC 5722 4, RFC 1858 4
  | "ip-fragment-duplicate" // has come before                     RFC 8200 4.5
  | "ip-fragment-ecn" // both CE and Not-ECT                       RFC 3168 5.3
  | "ip-fragment-timeout" // the others did not come               RFC 8200 4.5
  | "ip-fragment-limit" // no room: the oldest goes, or too many
  | "ip-source" // a source that no host may have             RFC 1122 3.2.1.3, RFC 4291 2.5
  | "ip-destination" // a destination that may not be on a link   RFC 1122 3.2.1.3, RFC 4291 2.5
  | "ip-own-source" // from the link, with an address of this stack as its source
  | "not-ours" // not an address of this stack
  | "protocol" // neither TCP, UDP nor ICMP
  // TCP
  | "tcp-short"
  | "tcp-offset" // data offset below 5 or beyond the segment
  | "tcp-checksum"
  | "tcp-port" // port 0
  | "tcp-no-connection" // answered with RST, unless it is one
  | "tcp-rst-listen" // RFC 9293 3.10.7.2, first
  | "tcp-flags-listen" // neither SYN, ACK nor RST to a listener
  | "tcp-not-unicast" // for no connection, from what is not one host  RFC 9293 3.9.2.3
  | "tcp-backlog" // listener's backlog is full
  | "tcp-connections" // the stack's connection limit is reached
  | "tcp-syn-pending" // the SYN waits for its decision
  | "tcp-syn-ignored" // the listener's owner wants it neither answered nor refused
  | "tcp-syn-sent" // not acceptable in SYN-SENT                  RFC 9293 3.10.7.3
  | "tcp-sequence" // outside the window                          RFC 9293 3.10.7.4, first
  | "tcp-rst-sequence" // RST outside the window or a challenge   RFC 5961 3
  | "tcp-syn-challenge" // SYN in a synchronized state            RFC 5961 4
  | "tcp-no-ack" // segment without ACK                           RFC 9293 3.10.7.4, fifth
  | "tcp-ack-unsent" // ACK of what was not sent
  | "tcp-ack-old" // ACK far below SND.UNA                        RFC 5961 5
  | "tcp-paws" // old timestamp                                   RFC 7323 5.3
  | "tcp-no-room" // reassembly has too many holes
  | "tcp-closed-text" // text for a reader that has closed
  // ICMP
  | "icmp-short"
  | "icmp-checksum"
  | "icmp-type" // not one that is answered or used
  | "icmp-no-connection" // an error about no connection of ours, or with a wrong SEQ  RFC 5927 4
  | "icmp-rate" // the answer was throttled
  | "icmp-ignored" // the policy answers no echo requests there
  // UDP
  | "udp-short"
  | "udp-length" // the length field cannot be
  | "udp-checksum" // wrong, or none over IPv6                     RFC 768, RFC 8200 8.1
  | "udp-port" // nobody listens
  | "udp-no-answer" // a flow from port 0, which cannot be answered
  | "udp-queue" // its reader is too slow: the queue is full
  | "udp-memory" // the queues of the stack hold as much as they may
  | "udp-unread"; // its flow or socket was closed before it was read
