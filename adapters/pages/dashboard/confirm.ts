/**
 * A button for actions that cannot be undone.
 *
 * @module
 */
/// <reference lib="dom" />
import type { ComponentChildren, VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { html } from "../shared/html.ts";

/** Properties of {@link ConfirmButton}. */
export interface ConfirmProps {
  readonly label: string;
  readonly title: string;
  readonly children: ComponentChildren;
  readonly disabled?: boolean;
  /** The action of the button; its result or its error is shown. */
  readonly act: () => Promise<string>;
}

/** A button that asks for confirmation, and shows the result. */
export function ConfirmButton({ label, title, children, disabled, act }: ConfirmProps): VNode {
  const dialog = useRef<HTMLDialogElement>(null);
  const [result, setResult] = useState<string | undefined>(undefined);
  const [isBusy, setBusy] = useState(false);
  const [isOpen, setOpen] = useState(false);
  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
  }, [isOpen]);
  const run = async () => {
    setBusy(true);
    setResult(await act().catch((error: Error) => error.message));
    setBusy(false);
  };
  const open = () => {
    setResult(undefined);
    setOpen(true);
  };
  return html`
    <button onClick=${open} disabled=${disabled}>${label}</button>
    ${isOpen && html`
      <dialog ref=${dialog} aria-label=${title} onClose=${() => setOpen(false)}>
        <h2>${title}</h2>
        ${result === undefined ? html`<p>${children}</p>` : html`<p role="status">${result}</p>`}
        <div class="buttons">
          ${result === undefined
            ? html`
              <button autofocus onClick=${() => dialog.current?.close()}>Cancel</button>
              <button class="primary" disabled=${isBusy} onClick=${run}>${label}</button>
            `
            : html`<button autofocus onClick=${() => dialog.current?.close()}>Close</button>`}
        </div>
      </dialog>
    `}
  `;
}
