/**
 * Live updates for the part of the page that is shown.
 *
 * @module
 */
/// <reference lib="dom" />
import { useEffect, useRef, useState } from "preact/hooks";
import { type Api, SignedOut, type Update } from "./api.ts";

const RETRY_MS = 2000;

/** What {@link useLive} returns. */
export interface Live {
  readonly update: Update | undefined;
  /** Why there are no updates at the moment. */
  readonly trouble: string | undefined;
}

/**
 * Follows `/live` with this query; connects again when the query changes, or after the service was unreachable.
 * Pauses while the tab is hidden. `onUpdate` gets every update before it is shown.
 */
export function useLive(
  api: Api,
  query: string,
  onUpdate: (update: Update) => void,
  onSignedOut: () => void,
): Live {
  const [live, setLive] = useState<Live>({ update: undefined, trouble: undefined });
  const [isHidden, setHidden] = useState(document.hidden);
  const take = useRef(onUpdate);
  take.current = onUpdate;
  useEffect(() => {
    const changed = () => setHidden(document.hidden);
    document.addEventListener("visibilitychange", changed);
    return () => document.removeEventListener("visibilitychange", changed);
  }, []);
  useEffect(() => {
    if (isHidden) return;
    const stopping = new AbortController();
    const { signal } = stopping;
    const follow = async () => {
      while (!signal.aborted) {
        let trouble = "the service has closed the connection; trying again";
        try {
          await api.follow(`/live?${query}`, signal, (data) => {
            const update = data as Update;
            take.current(update);
            setLive({ update, trouble: undefined });
          });
        } catch (error) {
          if (error instanceof SignedOut) return onSignedOut();
          trouble = error instanceof TypeError
            ? "the service cannot be reached; trying again"
            : (error as Error).message;
        }
        if (signal.aborted) return;
        setLive((before) => ({ ...before, trouble }));
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    };
    void follow();
    return () => stopping.abort();
  }, [query, isHidden]);
  return live;
}
