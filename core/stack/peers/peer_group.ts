/**
 * What an instance knows about the other instances; its link and its stack share this object.
 *
 * @module
 */
import type { AnnouncedConnection } from "./announcement.ts";
import { Membership } from "./membership.ts";

/** The parameters of a {@link PeerGroup}. Times are in milliseconds. */
export interface PeerGroupOptions {
  /** The number of this instance, less than `MAX_INSTANCES`. */
  readonly self: number;
  /** 16 bytes that all instances share: the key of sequence numbers, timestamps and SYN cookies. */
  readonly connectionKey: Uint8Array;
  /** 16 other bytes that all instances share: the key of messages. */
  readonly messageKey: Uint8Array;
  /** The time of the stack's clock. */
  readonly now: number;
  /** The wall clock minus the clock of the stack. */
  readonly wallOffset: number;
  /** A random number of this process, 0 to 2047, which tells processes with the same `self` apart. Default: 0. */
  readonly process?: number;
}

/** The instances that serve the same addresses, from the point of view of one of them. */
export class PeerGroup {
  readonly self: number;
  readonly process: number;
  readonly connectionKey: Uint8Array;
  readonly messageKey: Uint8Array;
  readonly membership: Membership;
  /** Whether messages are sent; otherwise another process of the same instance does so. */
  isActive = true;
  /** The wall clock minus the clock of the stack, in milliseconds; may be corrected at any time. */
  wallOffset: number;
  /** Number of messages that were dropped; counted by the stack. */
  refused = 0;
  /** Whether another instance has announced that it has a connection; set by the stack. */
  hasMoved: (connection: Omit<AnnouncedConnection, "mark">) => boolean = () => false;

  /** Called at most once a minute for each instance whose number two processes use; set by the link's owner. */
  onDuplicate: (instance: number) => void = () => {};

  constructor(
    { self, process = 0, connectionKey, messageKey, now, wallOffset }: PeerGroupOptions,
  ) {
    this.self = self;
    this.process = process;
    this.connectionKey = connectionKey;
    this.messageKey = messageKey;
    this.membership = new Membership(self, now);
    this.wallOffset = wallOffset;
  }
}
