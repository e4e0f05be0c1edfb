/**
 * What a kind of link is to the service.
 *
 * @module
 */
import type { Logger } from "../../../core/api/environment.ts";
import { describeIssues, type OptionsSchema } from "../../../core/api/options.ts";
import type { Link } from "../../../core/stack/link.ts";
import type { DuplicateAddress } from "../../links/ethernet/mod.ts";

/** What a link may need to know of the stack that will be on it. */
export interface LinkEnvironment {
  /** What the stack answers, with prefix lengths. */
  readonly addresses: readonly string[];
  /** Addresses of others on the link, such as the kernel's, with prefix lengths. */
  readonly hostAddresses: readonly string[];
  /** Others' addresses and networks inside of `addresses`. */
  readonly exceptAddresses?: readonly string[];
  /** Largest IP packet, in bytes. */
  readonly mtu: number;
  /** Where the link says what it met. */
  readonly log: Logger;
}

/** A link that was opened, with a stack on it soon. */
export interface OpenedLink extends Link {
  /**
   * Resolves when it is known which own addresses can be used, with those that cannot; absent where
   * all can be at once.
   */
  probed?(): Promise<readonly DuplicateAddress[]>;
}

/** What {@link defineLinkKind} takes. */
export interface LinkKindDefinition<Options> {
  /** As messages show it: `tun:NAME[,offload=off]`. */
  readonly usage: string;
  /** The name of the option that a first value without `NAME=` sets; none: it has to be named. */
  readonly first?: string;
  /** What the options are checked with. Each comes as text, as a list of texts when repeated. */
  readonly options: OptionsSchema<unknown, Options>;
  /** The kernel is on the other side: it can connect to the stack's addresses by itself. */
  readonly throughKernel: boolean;
  /** Largest IP packet in bytes where nothing is said; default 1500. */
  mtu?(options: Options): number;
  /** The options with paths relative to `folder`; default: there are none. */
  locate?(options: Options, folder: string): Options;
  /**
   * Makes the link.
   *
   * @throws {Error} It cannot be had; the message says what to do.
   */
  open(options: Options, environment: LinkEnvironment): Promise<OpenedLink>;
}

/** A kind of link; `options` are what its own `check` has made. */
export interface LinkKind {
  readonly usage: string;
  readonly first: string | undefined;
  readonly throughKernel: boolean;
  /** Checks what was given; a string says what is wrong with it. */
  check(given: Readonly<Record<string, unknown>>): { readonly options: unknown } | string;
  mtu(options: unknown): number | undefined;
  locate(options: unknown, folder: string): unknown;
  open(options: unknown, environment: LinkEnvironment): Promise<OpenedLink>;
}

/** Makes a kind of link for the table. */
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
