/**
 * Waits for a link and for another source at the same time.
 *
 * @module
 */
import type { Link } from "../../core/stack/link.ts";

/** The wait of a link that receives from another link and from one more source. */
export class JoinedWait {
  readonly #link: Pick<Link, "ready">;
  #isWaiting = false;
  #waiting: PromiseWithResolvers<boolean> | undefined;

  constructor(link: Pick<Link, "ready">) {
    this.#link = link;
  }

  /** Settles as `ready()` of the link does, or when {@link wake} is called; resolves at once if `isReady`. */
  ready(isReady: boolean): Promise<boolean> {
    if (isReady) return Promise.resolve(true);
    this.#waiting ??= Promise.withResolvers();
    const { promise } = this.#waiting;
    this.#waitForLink();
    return promise;
  }

  /** Called when the other source has something to receive; `isOpen` is false if the link is closing. */
  wake(isOpen: boolean = true): void {
    this.#waiting?.resolve(isOpen);
    this.#waiting = undefined;
  }

  /** Keeps a single wait for the link, which may outlast the {@link ready} that started it. */
  #waitForLink(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    this.#link.ready().then((isOpen) => {
      this.#isWaiting = false;
      this.wake(isOpen);
    }, (error: unknown) => {
      this.#isWaiting = false;
      this.#waiting?.reject(error);
      this.#waiting = undefined;
    });
  }
}
