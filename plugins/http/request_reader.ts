/**
 * Reads the heads of a connection's requests, one after the other.
 *
 * @module
 */
import type { Input } from "../shared/http/input.ts";
import { HttpRefusal } from "../shared/http/refusal.ts";
import { RepeatedHead } from "../shared/http/repeated_head.ts";
import { checkRequest, type ExchangeSetting, type ParsedRequest } from "./exchange.ts";
import { RequestHeadParser } from "./request_head.ts";

/** Takes heads out of the input, and checks each distinct head once. */
export class RequestReader {
  readonly #input: Input;
  readonly #setting: ExchangeSetting;
  readonly #parser: RequestHeadParser;
  readonly #last = new RepeatedHead<ParsedRequest>();

  /** Reads from the input of `setting`, within its limits. */
  constructor(setting: ExchangeSetting) {
    this.#input = setting.source.input;
    this.#setting = setting;
    this.#parser = new RequestHeadParser(setting.options);
  }

  /**
   * The next request, or why it is refused; `undefined`: its head is incomplete. `isFirst`: this is the first
   * call for this head.
   */
  next(isFirst: boolean): ParsedRequest | HttpRefusal | undefined {
    const { bytes, start, end } = this.#input;
    // Only while the parser has not started on this head.
    const repeated = isFirst ? this.#last.find(bytes, start, end) : undefined;
    if (repeated !== undefined) {
      this.#input.start = end;
      return repeated;
    }
    const head = this.#parser.parse(bytes, start, end);
    if (!head || head instanceof HttpRefusal) return head;
    this.#input.start += this.#parser.consumed;
    const parsed = checkRequest(head, this.#setting);
    const isAll = this.#input.length === 0 && !(parsed instanceof HttpRefusal);
    if (isAll) this.#last.keep(bytes, start, end, parsed);
    return parsed;
  }
}
