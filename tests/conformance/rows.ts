/**
 * The list of behaviours expected of a TCP stack: number, behaviour and source. The tests determine
 * whether this stack conforms.
 *
 * @module
 */

/** A row of the list. */
export interface Row {
  readonly number: number;
  readonly section: string;
  readonly title: string;
  /** ` (RFC 9293 3.1)`, or empty if no RFC specifies it. */
  readonly rfc: string;
}

const LIST = `
# Header, checksum, options
1 | the checksum of every segment sent is right, pseudo-header included | RFC 9293 3.1
2 | a segment with a wrong checksum is dropped without an answer | RFC 9293 3.1
3 | a data offset below 5 or beyond the end is dropped without an answer | RFC 9293 3.1
4 | an option of an unknown kind is skipped by its length | RFC 9293 3.1
5 | options are accepted in any segment, at any alignment | RFC 9293 3.1
6 | an option length of 0, 1 or past the header does no harm | RFC 9293 3.1
7 | options fill whole words, and all but END and NOP have a length | RFC 9293 3.1
8 | the MSS option goes in SYN and SYN,ACK and nowhere else | RFC 9293 3.7.1
9 | without an MSS option segments have 536 bytes, over IPv6 1220 | RFC 9293 3.7.1
10 | an MSS of 0 counts as absent | RFC 9293 3.7.1
11 | a tiny MSS is raised, so that options leave room for text | RFC 9293 3.7.1
12 | a segment is min(peer's MSS, path MTU - headers) less the options | RFC 9293 3.7.1
13 | the MSS advertised is the MTU less 40, over IPv6 less 60 | RFC 9293 3.7.1
14 | an MSS that the user sets is advertised by both kinds of open | RFC 9293 3.7.1
15 | reserved header bits are zero when sent and ignored when received | RFC 9293 3.1
16 | the hop limit can be set, is never 0, and has a sane default | RFC 9293 3.9.2
17 | the traffic class can be set by the user | RFC 9293 3.9.1
# Sequence numbers and ISN
18 | sending across 2^32 works | RFC 9293 3.4
19 | receiving across 2^32 works, SACK blocks included | RFC 9293 3.4
20 | the ISN is a clock plus a keyed hash of addresses and ports | RFC 9293 3.4.1, RFC 6528 3
21 | timestamps never go back on a connection | RFC 7323 3.2
# CLOSED and LISTEN
22 | no connection, segment without ACK: RST,ACK with SEQ=0 and ACK=SEG.SEQ+SEG.LEN | RFC 9293 3.10.7.1
23 | no connection, segment with ACK: RST with SEQ=SEG.ACK and no ACK bit | RFC 9293 3.10.7.1
24 | a RST is never answered by a RST | RFC 9293 3.10.7.1
25 | LISTEN ignores a RST | RFC 9293 3.10.7.2
26 | LISTEN answers an ACK with RST, SEQ=SEG.ACK | RFC 9293 3.10.7.2
27 | LISTEN answers a SYN,ACK with RST, SEQ=SEG.ACK | RFC 9293 3.10.7.2
28 | LISTEN answers a SYN with SYN,ACK | RFC 9293 3.10.7.2
29 | a SYN from or to an address that is not unicast is dropped silently | RFC 9293 3.9.2.3
30 | a segment to another port or address does not reach the connection | RFC 9293 3.10.7
31 | several connections are half-open on one port | RFC 9293 3.9.1
32 | a full accept queue ignores SYNs and handshake ACKs, and retransmits SYN,ACK |
256 | a SYN cookie offers only what its ACK brings back | RFC 7323 2.2, RFC 4987 3.6
33 | data may follow the handshake before accept() | RFC 9293 3.10.7.4
34 | closing a listener resets connections not accepted |
35 | text on a SYN is not acknowledged, so that the peer retransmits it | RFC 9293 3.10.7.2
36 | a handshake completes under a flood of SYNs | RFC 4987 3
# SYN-SENT
37 | connect() sends a SYN with MSS, window scale, SACK-permitted, timestamps | RFC 9293 3.10.1, RFC 7323 2.2
38 | a good SYN,ACK leads to ESTABLISHED and is acknowledged | RFC 9293 3.10.7.3
39 | an ACK of unsent data draws RST, SEQ=SEG.ACK | RFC 9293 3.10.7.3
40 | a good ACK without SYN or RST is dropped | RFC 9293 3.10.7.3
41 | a RST with a good ACK refuses the connection | RFC 9293 3.10.7.3
42 | a RST without ACK is dropped | RFC 9293 3.10.7.3
43 | a RST with a bad ACK is dropped | RFC 9293 3.10.7.3
44 | a SYN without ACK opens simultaneously | RFC 9293 3.5
45 | a RST in a simultaneous open refuses the connection | RFC 9293 3.10.7.4
46 | close() in SYN-SENT sends nothing, a late SYN,ACK draws RST | RFC 9293 3.10.4
47 | the SYN is retransmitted after 1 s and doubling intervals | RFC 9293 3.8.3, RFC 6298 2
48 | connect() fails after at least 3 minutes, with an error | RFC 9293 3.8.3
49 | data written in SYN-SENT is sent once established | RFC 9293 3.10.2
50 | reading in SYN-SENT waits, a RST wakes it with an error | RFC 9293 3.10.3
51 | connect() to an address that is not unicast, or to port 0, fails | RFC 9293 3.9.1
52 | a local address is picked where none was given | RFC 9293 3.9.1
53 | connecting to oneself on one port works or fails cleanly | RFC 9293 3.5
# SYN-RECEIVED
54 | the ACK of our SYN leads to ESTABLISHED | RFC 9293 3.10.7.4
55 | any other ACK draws RST, SEQ=SEG.ACK, and changes nothing | RFC 9293 3.10.7.4
56 | a segment outside the window draws an ACK | RFC 9293 3.10.7.4
57 | a RST ends a passive open, a later ACK draws RST | RFC 9293 3.10.7.4
58 | text and FIN on the handshake's ACK are accepted | RFC 9293 3.10.7.4
59 | the SYN,ACK is retransmitted on a timeout | RFC 9293 3.8.1
60 | a retransmitted SYN draws SYN,ACK again, and no second connection | RFC 9293 3.10.7.4
61 | close() sends FIN, or RST with linger 0 | RFC 9293 3.10.4
62 | data written early is sent after a retransmitted SYN,ACK is acknowledged | RFC 9293 3.8.1
# Option negotiation
63 | window scaling is in use if both SYNs have it | RFC 7323 2.2
64 | the window of SYN and SYN,ACK is not scaled | RFC 7323 2.2
65 | a shift above 14 is treated as 14 | RFC 7323 2.3
66 | the shift offered fits the receive buffer | RFC 7323 2.3
67 | the peer's scaled window is used to its end | RFC 7323 2.3
68 | SACK is offered, and in use if both SYNs have it | RFC 2018 2
69 | timestamps are in use if both SYNs have them | RFC 7323 3.2
70 | TSecr echoes the segment that last advanced the window's left edge | RFC 7323 4.3
71 | every segment has timestamps once agreed, RST too | RFC 7323 3.2
72 | a segment without agreed timestamps is still accepted | RFC 7323 3.2
73 | an older TSval is dropped and draws an ACK | RFC 7323 5.3
74 | a segment that acknowledges unsent data leaves TS.Recent alone | RFC 7323 5.3, RFC 9293 3.10.7.4
75 | TSval of FIN and RST is the time they are sent | RFC 7323 5.4
# Segment acceptability
76 | below the window: an ACK with RCV.NXT | RFC 9293 3.10.7.4
77 | beyond the window: an ACK, and the text is dropped | RFC 9293 3.10.7.4
78 | these ACKs are limited in rate | RFC 5961 7, RFC 9293 3.10.7.4
79 | ACKs of retransmitted data are not limited | RFC 9293 3.10.7.4
80 | of text partly in the window, the new part is accepted | RFC 9293 3.10.7.4
81 | at window 0 an empty segment at RCV.NXT is processed | RFC 9293 3.10.7.4
82 | at window 0 RST and URG are processed | RFC 9293 3.8.6
83 | at window 0 a FIN at RCV.NXT is accepted | RFC 9293 3.10.7.4
84 | a segment without ACK is dropped | RFC 9293 3.10.7.4
85 | an ACK of unsent data draws an ACK, and its text is dropped | RFC 9293 3.10.7.4
86 | an old ACK is ignored, and its text is accepted | RFC 9293 3.10.7.4
87 | a very old ACK draws a challenge ACK | RFC 5961 5.2
88 | the same rules hold in the closing states | RFC 9293 3.10.7.4
89 | an old window never overwrites a newer one | RFC 9293 3.10.7.4
# RST and RFC 5961
90 | a RST at RCV.NXT resets, and pending reads and writes fail | RFC 9293 3.10.7.4, RFC 5961 3.2
91 | a RST without ACK resets too | RFC 9293 3.10.7.4
92 | a RST elsewhere in the window draws a challenge ACK | RFC 5961 3.2
93 | a RST outside the window is dropped silently | RFC 5961 3.2
94 | a SYN with any SEQ draws a challenge ACK | RFC 5961 4.2
95 | challenge ACKs are throttled, also for a SYN with text | RFC 5961 7
96 | a challenge ACK has the current SND.NXT and RCV.NXT | RFC 5961 3.2
97 | data received before a RST can be read |
98 | with a gap before the RST, the in-order part is read, then the error |
99 | abort() sends RST | RFC 9293 3.10.5
100 | close() with unread text sends RST | RFC 9293 3.6.1
101 | the same after our FIN: RST with SEQ=SND.NXT | RFC 9293 3.6.1
102 | close() with linger 0 sends RST at once | RFC 9293 3.10.5
103 | close() with linger n waits for the last ACK, at most n seconds |
104 | text after both directions closed draws RST | RFC 9293 3.6.1
# Receiving data
105 | text in order is delivered and acknowledged | RFC 9293 3.10.7.4
106 | out-of-order text is kept until the gap is filled | RFC 9293 3.10.7.4
107 | out-of-order text draws an ACK at once | RFC 5681 4.2
108 | text that fills a gap is acknowledged at once | RFC 5681 4.2
109 | a flood of out-of-order text is bounded and blocks nothing | RFC 9293 3.10.7.4
110 | of overlapping segments each byte is delivered once | RFC 9293 3.10.7.4
111 | text beyond the buffer is not accepted | RFC 9293 3.8.6
112 | the receive buffer wraps around correctly |
113 | an out-of-order FIN waits until the gap is filled | RFC 9293 3.10.7.4
114 | a RST after an out-of-order FIN is an error, not end of file |
115 | text is delivered without PSH | RFC 9293 3.9.1
116 | old text before new text and FIN is trimmed | RFC 9293 3.10.7.4
117 | SACK blocks: D-SACK first, then newest first, 3 with timestamps, 4 without | RFC 2018 4, RFC 2883 4
# ACK generation
118 | an ACK is delayed, by less than 500 ms | RFC 9293 3.8.6.3
119 | at least every second full-sized segment is acknowledged | RFC 9293 3.8.6.3
120 | a delayed ACK is piggybacked on text | RFC 9293 3.8.6.3
121 | a FIN is acknowledged at once | RFC 9293 3.10.7.4
122 | segments received together draw one ACK | RFC 9293 3.10.7.4
123 | a burst of 200 segments is all received and acknowledged |
124 | an empty ACK is never acknowledged | RFC 9293 3.10.7.4
# Receive window
125 | the window shrinks with unread text, down to zero | RFC 9293 3.8.6
126 | the right edge never moves left | RFC 9293 3.8.6
127 | a reader that keeps up never sees a zero window | RFC 9293 3.8.6
128 | a window update is sent when the window opens by min(buffer / 2, MSS) | RFC 9293 3.8.6.2.2
129 | a window that opens from zero is announced without a probe | RFC 9293 3.8.6.2.2
130 | a window update is sent while an ACK is delayed | RFC 9293 3.8.6
131 | every window probe is acknowledged with the current window | RFC 9293 3.8.6.1
132 | no window update follows the peer's FIN |
133 | a scaled window is rounded down; data inside the offered window is accepted | RFC 7323 2.3
# Sending data
134 | text is sent in MSS-sized segments within min(cwnd, window) | RFC 9293 3.7
135 | the window is unsigned | RFC 9293 3.1
136 | a window of 0 in the SYN that opens with the ACK needs no probe | RFC 9293 3.8.6
137 | PSH is on the last segment of a write | RFC 9293 3.9.1
138 | a window that shrinks below the flight size does no harm | RFC 9293 3.8.6
139 | a segment larger than the window is split or held | RFC 9293 3.8.6.2.1
140 | Nagle: with text in flight a small segment waits | RFC 9293 3.7.4
141 | Nagle never holds a full-sized segment, options counted | RFC 9293 3.7.4
142 | Nagle can be turned off | RFC 9293 3.7.4
143 | close() sends the last small segment, with FIN on it | RFC 9293 3.7.4
144 | cork holds and joins, uncork releases |
145 | pending small writes are joined into full segments | RFC 9293 3.7.4
146 | a write of no bytes sends nothing and breaks nothing |
147 | the send buffer wraps around correctly |
148 | writing after close(), closeWrite() or a RST is an error | RFC 9293 3.10.2
# Zero-window probes
149 | the first probe is sent one RTO after the window closed | RFC 9293 3.8.6.1
150 | no probe is sent while there is nothing to send | RFC 9293 3.8.6.1
151 | an update to window 0 starts probing | RFC 9293 3.8.6.1
152 | the interval between probes grows exponentially | RFC 9293 3.8.6.1
153 | the connection stays while probes are acknowledged | RFC 9293 3.8.6.1
154 | an acknowledged probe byte restarts the interval | RFC 9293 3.8.6.1
155 | text is sent at once when the window opens | RFC 9293 3.8.6.1
156 | a third duplicate ACK that closes the window forces nothing out | RFC 9293 3.8.6
157 | the user timeout ends a probed connection | RFC 5482 3, RFC 9293 3.9.1
# Retransmission timer
158 | RTO comes from SRTT and RTTVAR | RFC 6298 2
159 | the first RTO is 1 s, and there is a floor | RFC 6298 2.1, RFC 6298 2.4
160 | a retransmitted segment gives no RTT sample unless it has timestamps | RFC 6298 3
161 | RTO doubles at each timeout, up to 60 s at least | RFC 6298 5.5
162 | an ACK of new data clears the backoff | RFC 6298 5
163 | an ACK of new data restarts the timer, of all data stops it | RFC 6298 5.2, RFC 6298 5.3
164 | on a timeout the earliest segment is retransmitted | RFC 6298 5.4
165 | after a timeout only unacknowledged data is retransmitted | RFC 6298 5
166 | a late ACK of more than was retransmitted leaves nothing to retransmit | RFC 9293 3.10.7.4
167 | data written during recovery is sent after it, in order | RFC 9293 3.8.1
168 | a duplicate ACK does not restart the timer | RFC 6298 5.3
169 | after R2 the connection ends and the user gets an error | RFC 9293 3.8.3
170 | the user sets the timeout of a connection | RFC 9293 3.8.3, RFC 5482 3
171 | IPv4 identification is unique, or the datagrams are atomic | RFC 6864 4
172 | a spurious timeout is detected and undone | RFC 3522 3, RFC 5682 2
# Fast retransmit, SACK, RACK-TLP
173 | the third duplicate ACK retransmits SND.UNA at once | RFC 5681 3.2
174 | what counts as a duplicate ACK | RFC 5681 2
175 | the first two duplicate ACKs each allow a new segment | RFC 3042 2
176 | sacked data is not retransmitted, each lost segment is retransmitted once | RFC 6675 5
177 | 3 sacked segments start recovery, even with fewer ACKs | RFC 6675 5
178 | recovery is not entered again for the same window | RFC 6582 3.2, RFC 6675 5
179 | a partial ACK retransmits the next lost segment at once | RFC 6582 3.2
180 | SACK blocks on an old ACK count | RFC 6675 4
181 | SACK blocks out of range do no harm | RFC 2018 5
182 | PRR paces recovery | RFC 9937 6
247 | delivered data allows sending during recovery, data marked lost does not | RFC 9937 6
183 | RACK: a segment sent well before a delivered one is lost | RFC 8985 6.2
184 | RACK: reordering within the window retransmits nothing | RFC 8985 6.2
185 | RACK: D-SACK widens the reordering window | RFC 8985 6.2, RFC 2883 4
186 | recovery never sends beyond the receive window | RFC 8985 6
187 | RACK: a lost retransmission is retransmitted without a timeout | RFC 8985 3.2
188 | TLP: the last segment is probed after 2 SRTT | RFC 8985 7.2
189 | TLP: one probe per tail, then RTO | RFC 8985 7.3
246 | a tail loss probe replaces an RTO due at the same time, which restarts | RFC 8985 7.2, RFC 8985 7.3
190 | TLP: no probe while there are gaps, until recovery has begun | RFC 8985 7.2
191 | TLP: a D-SACK of the probe does not reduce the window | RFC 8985 7.4
192 | duplicate text is reported by D-SACK | RFC 2883 4
# Congestion control
193 | the initial window is at most 10 segments | RFC 6928 2
194 | slow start: cwnd grows by the acknowledged bytes | RFC 5681 3.1
195 | congestion avoidance: one MSS per round trip, or the cubic curve | RFC 5681 3.1, RFC 9438 4
196 | a timeout sets ssthresh, and cwnd to one segment | RFC 5681 3.1
197 | a second timeout of the same segment keeps ssthresh | RFC 5681 3.1
198 | fast recovery ends with cwnd at ssthresh | RFC 5681 3.2
199 | an ACK of no new data neither grows cwnd nor ends recovery | RFC 5681 3
200 | CUBIC: beta 0.7, fast convergence, Reno-friendly region | RFC 9438 4
201 | cwnd does not grow while application-limited | RFC 7661 4, RFC 9438 5.8
248 | the window grows when all of it was used, even if nothing else waited | RFC 5681 3.1, RFC 9438 5.8
254 | in slow start without pacing, an ACK opens the window by at most eight segments | RFC 9406 4.3, RFC 3465 2.2
202 | after idling longer than RTO cwnd is the restart window | RFC 5681 4.1
203 | cwnd is never below one segment, ssthresh below two | RFC 5681 3.1
204 | HyStart++ leaves slow start when the RTT rises | RFC 9406 4
205 | ECN: SYN has ECE and CWR, data ECT(0), nothing else does | RFC 3168 6.1
206 | ECN: unusual SYNs are accepted, SYN,ACK has ECE if ECN is on | RFC 3168 6.1.1
207 | ECN: ECE cuts cwnd once per round trip, CE is echoed until CWR | RFC 3168 6.1.2
# Closing
208 | active close: FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT | RFC 9293 3.6
209 | passive close: CLOSE-WAIT, LAST-ACK, CLOSED | RFC 9293 3.6
210 | simultaneous close: CLOSING, TIME-WAIT | RFC 9293 3.6
211 | FIN with the ACK of ours: FIN-WAIT-1 to TIME-WAIT | RFC 9293 3.10.7.4
212 | queued text is sent before the FIN | RFC 9293 3.10.4
213 | a FIN carries text both ways | RFC 9293 3.6
214 | a FIN is retransmitted until it is acknowledged | RFC 9293 3.6
215 | an ACK of the text but not of the FIN keeps the state | RFC 9293 3.10.7.4
216 | half-close: text is received after our FIN | RFC 9293 3.6.1
217 | half-close: text is sent after the peer's FIN | RFC 9293 3.6.1
218 | the end of file is read after all text | RFC 9293 3.10.3
219 | FIN-WAIT-2 of a closed socket ends, of a half-closed one it does not | RFC 9293 3.6
220 | FIN-WAIT-1 and LAST-ACK without an owner time out | RFC 9293 3.8.3
221 | LAST-ACK: an ACK not of our FIN changes nothing | RFC 9293 3.10.7.4
258 | a RST that ends a connection waits for the peer's FIN, and is not reported as an error |
# TIME-WAIT
222 | it lasts 2 MSL, then the ports are free | RFC 9293 3.6
223 | a retransmitted FIN is acknowledged and restarts it | RFC 9293 3.10.7.4
224 | a segment out of order draws an ACK | RFC 9293 3.10.7.4
225 | a new SYN opens a new connection | RFC 9293 3.6.1, RFC 6191 2
250 | a connection that replaces one in TIME-WAIT starts above its sequence numbers | RFC 9293 3.6.1, RFC 6191 2
226 | a RST does not end it | RFC 1337 3, RFC 5961 3
227 | no text is accepted after the FIN | RFC 9293 3.10.7.4
# Keep-alive
228 | off by default, on by request | RFC 9293 3.8.4
229 | sent when idle only; the interval can be set, by default 2 hours | RFC 9293 3.8.4
230 | a probe is SND.NXT-1 without text | RFC 9293 3.8.4
231 | one missing reply does not end the connection, N do | RFC 9293 3.8.4
232 | another stack's keep-alive is acknowledged | RFC 9293 3.10.7.4
233 | the user timeout overrides the number of probes | RFC 5482 4.2
# ICMP and path MTU
234 | an ICMP error is accepted if it quotes outstanding data | RFC 9293 3.9.2.2, RFC 5927 4.1
235 | a soft error on a connection is reported and does not end it | RFC 9293 3.9.2.2
236 | a hard error on a connection | RFC 9293 3.9.2.2
237 | in SYN-SENT an unreachable error fails connect() at once | RFC 5461 4
238 | source quench is ignored | RFC 9293 3.9.2.2
239 | packet too big: segments shrink, lost data is retransmitted in smaller segments | RFC 1191 6, RFC 8201 5, RFC 9293 3.7.2
240 | an MTU below the minimum is ignored | RFC 1191 3, RFC 8201 4
# Urgent data
241 | the urgent pointer is processed and reported to the user | RFC 9293 3.8.5
# Robustness
242 | when an address is removed, its connections end, and nothing is sent from it |
243 | segments that arrive as a connection closes are answered |
244 | a RST while closing ends cleanly |
245 | unknown IP options are ignored | RFC 9293 3.9.2
# Found by foreign suites and clients
249 | D-SACK reports the first part of a segment that was received before | RFC 2883 4.2
251 | a RST in CLOSE-WAIT is reported to the user | RFC 9293 3.10.7.4
252 | SACK blocks after the first are the most recent ones | RFC 2018 4
253 | the right edge of the window, and SND.NXT of an ICMP error, are outside | RFC 9293 3.4, RFC 5961 3.2, RFC 5927 4.1
255 | text and FIN on a SYN,ACK are kept | RFC 9293 3.10.7.3
257 | the minimum MTU of a link carries text | RFC 791 3.2, RFC 9293 3.7.1
259 | answers to segments that look like keep-alives are throttled | RFC 5961 7
260 | a SYN with a FIN opens no connection | RFC 9293 3.10.7.2
261 | a connection that is reset before accept() is returned by accept() | RFC 9293 3.10.7.4
`;

/** Every row, in order. */
export const ROWS: readonly Row[] = readList();

/** The row with this number. */
export function rowOf(number: number): Row {
  const row = ROWS.find((each) => each.number === number);
  if (row === undefined) throw new Error(`there is no row ${number}`);
  return row;
}

function readList(): Row[] {
  let section = "";
  const rows: Row[] = [];
  for (const line of LIST.trim().split("\n")) {
    if (line.startsWith("# ")) {
      section = line.slice(2);
      continue;
    }
    const [number, title = "", rfc = ""] = line.split("|").map((part) => part.trim());
    rows.push({ number: Number(number), section, title, rfc: rfc === "" ? "" : ` (${rfc})` });
  }
  return rows;
}
