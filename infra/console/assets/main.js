// Routing, the tenant key, the theme, and the connection state.

import { fill, h, say } from "./dom.js";
import { key, onReach, read, takeToken } from "./api.js";
import { every } from "./parts.js";
import * as time from "./time.js";
import * as overview from "./overview.js";
import * as wallets from "./wallets.js";
import * as wallet from "./wallet.js";
import * as trading from "./trading.js";
import * as payments from "./payments.js";
import * as webhooks from "./webhooks.js";
import * as decisions from "./decisions.js";
import * as renewals from "./renewals.js";
import * as exchanges from "./exchanges.js";
import * as reference from "./reference.js";
import * as metrics from "./metrics.js";

const VIEWS = { overview, wallets, trading, payments, webhooks, decisions, renewals, exchanges, reference, metrics };
const TITLES = { overview: "Overview", wallets: "Wallets", trading: "Trading", payments: "Payments", webhooks: "Webhooks", decisions: "Decisions", renewals: "Renewals", exchanges: "Exchanges", reference: "API", metrics: "Metrics" };

const main = document.getElementById("main");
let about = null, leave = new AbortController(), shown = null;

async function route() {
  if (takeToken()) await look();
  // A link within the page does not change the view.
  if (location.hash && !location.hash.startsWith("#/")) return;
  const [name = "overview", id, part] = location.hash.slice(2).split("/").filter(Boolean).map(decodeURIComponent);
  const view = VIEWS[name] ? name : "overview";
  leave.abort();
  leave = new AbortController();
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  document.title = `${TITLES[view]} · HyperDEX Keys`;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === `#/${view}`) {
      link.setAttribute("aria-current", "page");
      // On a phone the views scroll sideways.
      link.scrollIntoView({ block: "nearest", inline: "nearest" });
    } else link.removeAttribute("aria-current");
  }
  const context = { signal: leave.signal, about, id, part, fresh: shown === view };
  (view === "wallets" && id ? wallet : VIEWS[view]).show(main, context);
  // After the first view, move the focus to the start of the new view.
  if (shown !== null) { main.focus({ preventScroll: true }); scrollTo(0, 0); }
  shown = view;
}

const stack = document.getElementById("stack");
const GONE = "disconnected";

/** Shows immediately when any call finds the stack unreachable. */
function reach(there) {
  const shown = stack.textContent === GONE;
  if (there && shown) look();
  if (!there && !shown) { stack.textContent = GONE; stack.className = "stack bad"; }
}

async function look() {
  let text, kind;
  try {
    about = await read("about");
    [text, kind] = [about.readOnly ? `${about.stack}, tenant ${about.tenant}, read only` : `tenant ${about.tenant}`, "good"];
    readOnly(about);
  } catch (error) {
    about = null;
    [text, kind] = error.status === 0 ? [GONE, "bad"] : [refused(error), "bad"];
  }
  if (stack.textContent !== text) stack.textContent = text;
  stack.className = `stack ${kind}`;
  document.getElementById("key").classList.toggle("wanted", kind === "bad" && text.startsWith("tenant key"));
}

function refused(error) {
  const what = error.code.endsWith("_TOKEN") ? "token" : "tenant key";
  return error.status === 401 ? `${what} required` : error.status === 403 ? `${what} refused` : error.message;
}

/** Adapts the page to an operator's console, which has no API, no tenant key and perhaps no metrics. */
function readOnly({ readOnly: only, hasMetrics }) {
  for (const [view, there] of [["reference", !only], ["metrics", hasMetrics]]) {
    document.querySelector(`nav a[href="#/${view}"]`).hidden = !there;
  }
  document.getElementById("key").hidden = only;
}

function askKey() {
  const input = h("input", { id: "key-text", type: "password", autocomplete: "off", spellcheck: "false", "aria-describedby": "key-help" });
  input.value = key.get();
  const dialog = h("dialog", { "aria-labelledby": "key-title", onclose: () => dialog.remove() },
    h("form", { onsubmit: async (event) => {
      event.preventDefault();
      key.set(input.value.trim());
      dialog.close();
      await look();
      say(stack.textContent);
      route();
    } },
    h("header", null, h("h2", { id: "key-title" }, "Tenant key")),
    h("div", { class: "field" }, h("label", { for: "key-text" }, "X-API-KEY"), input,
      h("p", { class: "fine", id: "key-help" }, "Create a key with `cargo run -- keys add NAME`. Leave this empty while the stack has no tenant keys. The key stays in this tab until you close it.")),
    h("footer", null, h("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, "Cancel"), h("button", { type: "submit", class: "primary" }, "Use key"))));
  document.body.append(dialog);
  dialog.showModal();
}

function colours() {
  const select = document.getElementById("theme");
  const use = (theme) => { document.documentElement.dataset.theme = theme; };
  select.value = localStorage.getItem("hyperdex-colours") ?? "";
  use(select.value);
  select.addEventListener("change", () => { localStorage.setItem("hyperdex-colours", select.value); use(select.value); });
}

function times() {
  const select = document.getElementById("times");
  select.value = time.inUtc() ? "utc" : "local";
  select.addEventListener("change", () => time.showUtc(select.value === "utc"));
}

colours();
times();
onReach(reach);
fill(main);
takeToken();
document.getElementById("key").addEventListener("click", askKey);
addEventListener("hashchange", route);
setInterval(time.tick, 1_000);
every(10_000, new AbortController().signal, look).then(route);
