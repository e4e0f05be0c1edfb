/**
 * The form for the token.
 *
 * @module
 */
/// <reference lib="dom" />
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { html } from "../shared/html.ts";
import type { Api } from "./api.ts";

/** Asks for the token until the service accepts it. */
export function SignIn(
  { api, onSignIn }: { readonly api: Api; readonly onSignIn: () => void },
): VNode {
  const [trouble, setTrouble] = useState("");
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    try {
      await api.signIn(String(new FormData(form).get("token")));
      onSignIn();
    } catch (error) {
      const { message } = error as Error;
      setTrouble(`${message.charAt(0).toUpperCase()}${message.slice(1)}.`);
    }
  };
  return html`
    <main class="frame">
      <div class="sign-in">
        <h1>berth</h1>
        <p class="muted">
          Sign in with the token of the admin API, or open the URL that${" "}
          <code>berth dashboard</code> prints.
        </p>
        <form onSubmit=${submit}>
          <label>
            <span class="hidden">Token</span>
            <input name="token" type="password" required autofocus autocomplete="off"
              placeholder="Token" />
          </label>
          <button class="primary">Sign in</button>
        </form>
        <p role="alert">${trouble}</p>
      </div>
    </main>
  `;
}
