/**
 * The dashboard.
 *
 * @module
 */
/// <reference lib="dom" />
import { render, type VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { html } from "../shared/html.ts";
import { Api } from "./api.ts";
import { Connection } from "./connection.ts";
import { Overview } from "./overview.ts";
import { SignIn } from "./sign_in.ts";

const KEY = "#key=";
const CONNECTION = "#/connections/";

/** The key in the URL that `berth dashboard` prints; it does not stay in the history. */
function takeKey(): string | undefined {
  if (!location.hash.startsWith(KEY)) return undefined;
  const key = location.hash.slice(KEY.length);
  history.replaceState(null, "", location.pathname);
  return key;
}

const api = new Api();
const key = takeKey();
if (key !== undefined) await api.signIn(key).catch(() => {});

function Page(): VNode {
  const [isSignedIn, setSignedIn] = useState(api.hasSession);
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const changed = () => {
      setHash(location.hash);
      document.querySelector("main")?.focus();
      scrollTo(0, 0);
    };
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  const signOut = () => {
    api.forget();
    setSignedIn(false);
  };
  if (!isSignedIn) return html`<${SignIn} api=${api} onSignIn=${() => setSignedIn(true)} />`;
  if (hash.startsWith(CONNECTION)) {
    const id = decodeURIComponent(hash.slice(CONNECTION.length));
    return html`<${Connection} key=${id} api=${api} id=${id} onSignedOut=${signOut} />`;
  }
  return html`<${Overview} api=${api} onSignedOut=${signOut} />`;
}

render(html`<${Page} />`, document.getElementById("page")!);
