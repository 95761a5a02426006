// What several views are made of.

import { h, say, svg } from "./dom.js";
import * as time from "./time.js";

export const EXCHANGES = { aster: "Aster", hyperliquid: "Hyperliquid" };
export const IDENTIFIER = "userId, walletId or address";

/** The first and last signs of an address or id. */
export function short(text) {
  return text.length > 16 ? `${text.slice(0, 8)}…${text.slice(-4)}` : text;
}

/** A word for a state, with its colour. */
export function badge(text, kind = text) {
  return h("span", { class: `badge ${kind}` }, text);
}

/** A text that a button copies. */
export function copyable(text, what, shown = text) {
  const button = h("button", {
    type: "button", class: "copy", title: `Copy ${what}`, "aria-label": `Copy ${what}`,
    async onclick() {
      const copied = await copy(text);
      button.dataset.state = copied ? "done" : "failed";
      say(copied ? `${what} is copied` : `${what} could not be copied`);
      setTimeout(() => delete button.dataset.state, 1_500);
    },
  });
  return h("span", { class: "copyable" }, h("code", { title: text }, shown), button);
}

/** Whether the text is on the clipboard now. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** A time that counts down, its date on hover. `past`: see `time.until`. */
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

/** How much of a life is left, with a mark where the job renews it. */
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

/** How much of a budget is used. */
export function useBar(used, most, label) {
  const part = Math.min(100, (used / Math.max(1, most)) * 100);
  return svg("svg", { class: `bar ${part > 90 ? "low" : "good"}`, viewBox: "0 0 100 6", preserveAspectRatio: "none", role: "img", "aria-label": label },
    svg("rect", { class: "track", width: 100, height: 6 }),
    svg("rect", { class: "fill", width: part, height: 6 }));
}

/** What the renewal job does with a credential next. */
export function jobText(job) {
  const idle = {
    "wait-for-caller": "none: send the registration again to finish it",
    "turned-off": "none: it was registered with autoRenew off",
    "no-end": "none: a key of Aster's V1 does not expire", "given-up": "none: renewal failed for a week after its expiry",
    frozen: "none while the wallet is frozen",
  };
  const work = {
    renew: "renewal", "finish-rotation": "end of the rotation", "finish-deletion": "end of the deletion",
    "remove-previous": "removal of the previous key",
  };
  if (idle[job.does] || job.at === null) return [idle[job.does] ?? work[job.does] ?? job.does];
  return [`${work[job.does] ?? job.does} `, countdown(job.at, "due")];
}

const MEND = {
  NO_AGENT_SLOT: "The account has as many API wallets as the exchange allows. Remove one on the exchange, then send this again.",
  MISSING_API_KEY: "This stack has API keys, so it wants one. Enter it by the button “API key” above.",
  INVALID_API_KEY: "No tenant has this key. Enter another one by the button “API key” above; `cargo run -- keys list` shows which there are.",
  CLOUDWATCH: "The tables are read all the same. docs/guides/console.md has the rights that metrics want.",
  API_KEY_EXISTS: "There is an active key. Rotate it to get a new one in its place, or delete it first.",
  REGISTRATION_IN_PROGRESS: "Another call works on this credential. Wait until it is over.",
  REGISTRATION_UNFINISHED: "An earlier registration did not come to its end. Register again: it goes on where it stopped, with the same key.",
  REVOCATION_UNFINISHED: "An earlier deletion did not come to its end. Delete again: it goes on where it stopped.",
  EXCHANGE_UNAVAILABLE: "The exchange is down or answers nonsense. Nothing is lost: send this again in a while.",
  EXCHANGE_TIMEOUT: "The exchange did not answer in time. It may have heard it all the same; sending this again finds out first.",
  POLICY_REFUSED: "The cosigner's policy does not allow it. “Decisions” has its reason.",
};

/** An error, what it means and what to do. */
export function errorBox(error, more) {
  const known = MEND[error.code];
  return h("div", { class: "error", role: "alert" },
    h("strong", null, error.message),
    error.advice && h("p", null, error.advice),
    known && known !== error.advice && h("p", null, known),
    more,
    h("p", { class: "fine" },
      error.status > 0 && `HTTP ${error.status} `, error.code && h("code", null, error.code),
      error.requestId && [" request ", copyable(error.requestId, "request id")]));
}

/** Facts, as names and values; nothing is left out. */
export function facts(...pairs) {
  return h("dl", { class: "facts" }, pairs.filter(Boolean).map(([name, ...value]) => h("div", null, h("dt", null, name), h("dd", null, value))));
}

/** Does something now and again while the page is looked at, until the view is left. */
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
