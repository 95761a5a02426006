// Parts that several views share.

import { h, say, svg } from "./dom.js";
import * as time from "./time.js";

export const EXCHANGES = { aster: "Aster", hyperliquid: "Hyperliquid" };
/** The exchanges with orders. On Lighter an account takes the place of a wallet. */
export const VENUES = { ...EXCHANGES, lighter: "Lighter" };
export const IDENTIFIER = "userId, walletId or address";

/** Shortens an address or id to its first and last characters. */
export function short(text) {
  return text.length > 16 ? `${text.slice(0, 8)}…${text.slice(-4)}` : text;
}

/** A coloured badge for a state. */
export function badge(text, kind = text) {
  return h("span", { class: `badge ${kind}` }, text);
}

/** A text with a copy button. */
export function copyable(text, what, shown = text) {
  const button = h("button", {
    type: "button", class: "copy", title: `Copy ${what}`, "aria-label": `Copy ${what}`,
    async onclick() {
      const copied = await copy(text);
      button.dataset.state = copied ? "done" : "failed";
      say(copied ? `Copied the ${what}` : `Cannot copy the ${what}`);
      setTimeout(() => delete button.dataset.state, 1_500);
    },
  });
  return h("span", { class: "copyable" }, h("code", { title: text }, shown), button);
}

/** Copies a text, and returns whether that succeeded. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** A time that counts down, with its date on hover. `past`: see `time.until`. */
export function countdown(at, past) {
  return h("time", { datetime: new Date(at).toISOString(), title: time.utc(at), "data-at": at, "data-past": past }, time.until(at, past));
}

/** A date with its time of day, in UTC on hover. */
export function stamp(at) {
  return h("time", { class: "stamp", datetime: new Date(at).toISOString(), title: time.utc(at), "data-date": at }, time.date(at));
}

/** The badges of a wallet that does not sign. */
export function freezeBadges(wallet) {
  return [wallet.operatorFreeze && [" ", badge("frozen by operator", "pending")], wallet.frozen && [" ", badge("barred", "bad")]];
}

/** A bar of the remaining lifetime, with a mark where the job renews the key. */
export function lifeBar(from, to, renewAt, label) {
  const whole = Math.max(1, to - from);
  const place = (at) => Math.min(100, Math.max(0, ((at - from) / whole) * 100));
  const left = 100 - place(time.now());
  const kind = left <= 0 ? "gone" : to - time.now() < 14 * 86_400_000 ? "low" : "good";
  return svg("svg", { class: `bar ${kind}`, viewBox: "0 0 100 6", preserveAspectRatio: "none", role: "img", "aria-label": label },
    svg("rect", { class: "track", width: 100, height: 6 }),
    svg("rect", { class: "fill", width: left, height: 6 }),
    renewAt && svg("rect", { class: "mark", x: Math.min(99.2, 100 - place(renewAt)), width: 0.8, height: 6 }));
}

/** A bar of the used budget. */
export function useBar(used, most, label) {
  const part = Math.min(100, (used / Math.max(1, most)) * 100);
  return svg("svg", { class: `bar ${part > 90 ? "low" : "good"}`, viewBox: "0 0 100 6", preserveAspectRatio: "none", role: "img", "aria-label": label },
    svg("rect", { class: "track", width: 100, height: 6 }),
    svg("rect", { class: "fill", width: part, height: 6 }));
}

/** Returns the text for the renewal job's next step with a credential. */
export function jobText(job) {
  const idle = {
    "wait-for-caller": "none: retry the registration to complete it",
    "turned-off": "none: registered with autoRenew off",
    "no-end": "none: an API key of Aster V1 does not expire", "given-up": "none: renewal failed for a week after its expiry",
    frozen: "paused while the wallet is frozen",
  };
  const work = {
    renew: "renewal", "finish-rotation": "completion of the rotation", "finish-deletion": "completion of the deletion",
    "remove-previous": "removal of the previous key",
  };
  if (idle[job.does] || job.at === null) return [idle[job.does] ?? work[job.does] ?? job.does];
  return [`${work[job.does] ?? job.does} `, countdown(job.at, "due")];
}

const REMEDIES = {
  NO_AGENT_SLOT: "The account has as many agents as the exchange allows. Remove one at the exchange, then retry.",
  MISSING_API_KEY: "This stack requires a tenant key. Enter it with the button “Tenant key” above.",
  INVALID_API_KEY: "No tenant has this key. Enter another one with the button “Tenant key” above. `cargo run -- keys list` lists the tenants.",
  ORDER_UNKNOWN: "The exchange may have executed the order. Retry with this dialog, which sends the same id, or read the order. Do not place it under another id.",
  API_KEY_NOT_FOUND: "The wallet has no usable trading key here. Register it on the wallet's page.",
  SCOPE_MISSING: "The tenant key lacks a scope. Enter another one with the button “Tenant key” above.",
  CLOUDWATCH: "The other views still work. docs/guides/console.md lists the permissions that metrics require.",
  API_KEY_EXISTS: "The wallet has an active trading key. Rotate the key to replace it, or delete it first.",
  REGISTRATION_IN_PROGRESS: "Another call is processing this credential. Wait until it completes.",
  REGISTRATION_UNFINISHED: "An earlier registration is incomplete. Register again to complete it with the same key.",
  REVOCATION_UNFINISHED: "An earlier deletion is incomplete. Delete again to complete it.",
  EXCHANGE_UNAVAILABLE: "The exchange is down or returned an invalid response. No data is lost. Retry later.",
  EXCHANGE_TIMEOUT: "The exchange did not respond in time. It may still have processed the request. A retry checks that first.",
  POLICY_REFUSED: "The cosigner's policy does not allow this. “Decisions” shows the reason.",
};

/** An error, its meaning and the next action. */
export function errorBox(error, more) {
  const details = Object.entries(error.details ?? {});
  // The trading policy has the same code as the cosigner's, and names its limit.
  const known = error.details?.limit !== undefined && error.code === "POLICY_REFUSED" ? undefined : REMEDIES[error.code];
  return h("div", { class: "error", role: "alert" },
    h("strong", null, error.message),
    error.advice && h("p", null, error.advice),
    known && known !== error.advice && h("p", null, known),
    details.length > 0 && facts(...details.map(([name, text]) => [name, h("code", null, text)])),
    more,
    h("p", { class: "fine" },
      error.status > 0 && `HTTP ${error.status} `, error.code && h("code", null, error.code),
      error.requestId && [" request ", copyable(error.requestId, "request id")]));
}

/** A list of names and values. Falsy entries are skipped. */
export function facts(...pairs) {
  return h("dl", { class: "facts" }, pairs.filter(Boolean).map(([name, ...value]) => h("div", null, h("dt", null, name), h("dd", null, value))));
}

/** Repeats a task while the page is visible, until the user leaves the view. */
export function every(ms, signal, work) {
  let running = false;
  const run = async () => {
    if (running || document.hidden || signal.aborted) return;
    running = true;
    try {
      await work();
    } finally {
      running = false;
    }
  };
  const timer = setInterval(run, ms);
  document.addEventListener("visibilitychange", run, { signal });
  signal.addEventListener("abort", () => clearInterval(timer));
  return run();
}
