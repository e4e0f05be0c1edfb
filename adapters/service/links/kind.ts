/**
 * The interface of a kind of link for `--link`.
 *
 * @module
 */
import type { z } from "zod";
import type { Logger } from "../../../core/api/environment.ts";
import { describeIssues } from "../../../core/api/options.ts";
import type { Link } from "../../../core/stack/link.ts";
import type { DuplicateAddress } from "../../links/ethernet/mod.ts";

/** What a link needs to know about the stack that will use it. */
export interface LinkEnvironment {
  /** Own addresses of the stack, with prefix lengths. */
  readonly addresses: readonly string[];
  /** Addresses of the other end of the link, such as the kernel's, with prefix lengths. */
  readonly hostAddresses: readonly string[];
  /** Addresses and networks inside `addresses` that belong to other hosts. */
  readonly exceptAddresses?: readonly string[];
  /** Largest IP packet, in bytes. */
  readonly mtu: number;
  /** The log of the link. */
  readonly log: Logger;
}

/** An open link. */
export interface OpenedLink extends Link {
  /**
   * Resolves when duplicate address detection has finished, with the addresses that others use; absent
   * for links without it.
   */
  probed?(): Promise<readonly DuplicateAddress[]>;
}

/** The argument of {@link defineLinkKind}. */
export interface LinkKindDefinition<Options> {
  /** The syntax that messages show: `tun:NAME[,offload=off]`. */
  readonly usage: string;
  /** The option that a first value without `NAME=` sets; without it, every option needs its name. */
  readonly first?: string;
  /** Checks the options. Each is a string, or a list of strings if it is repeated. */
  readonly options: z.ZodType<Options>;
  /** Whether the kernel is at the other end of the link, so that it can connect to the stack by itself. */
  readonly throughKernel: boolean;
  /** Default for the largest IP packet in bytes; without it, 1500. */
  mtu?(options: Options): number;
  /** The options with paths relative to `folder`. Without it, no option is a path. */
  locate?(options: Options, folder: string): Options;
  /**
   * Opens the link.
   *
   * @throws {Error} It cannot be opened; the message says what to do.
   */
  open(options: Options, environment: LinkEnvironment): Promise<OpenedLink>;
}

/** A kind of link; `options` are what its `check` returned. */
export interface LinkKind {
  readonly usage: string;
  readonly first: string | undefined;
  readonly throughKernel: boolean;
  /** Checks options; returns a message if they are invalid. */
  check(given: Readonly<Record<string, unknown>>): { readonly options: unknown } | string;
  mtu(options: unknown): number | undefined;
  locate(options: unknown, folder: string): unknown;
  open(options: unknown, environment: LinkEnvironment): Promise<OpenedLink>;
}

/** Defines a kind of link for the table. */
export function defineLinkKind<Options>(definition: LinkKindDefinition<Options>): LinkKind {
  const { usage, first, throughKernel, options: schema } = definition;
  return {
    usage,
    first,
    throughKernel,
    check(given) {
      const checked = schema.safeParse(given);
      return checked.success
        ? { options: checked.data }
        : describeIssues(checked.error.issues, [], { value: given, schema });
    },
    mtu: (options) => definition.mtu?.(options as Options),
    locate: (options, folder) => definition.locate?.(options as Options, folder) ?? options,
    open: (options, environment) => definition.open(options as Options, environment),
  };
}
