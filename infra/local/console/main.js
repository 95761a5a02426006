// Which view is shown, the key, the colours, whether the stack answers.

import { fill, h, say } from "./dom.js";
import { key, read } from "./api.js";
import { every } from "./parts.js";
import * as time from "./time.js";
import * as wallets from "./wallets.js";
import * as wallet from "./wallet.js";
import * as decisions from "./decisions.js";
import * as renewals from "./renewals.js";
import * as exchanges from "./exchanges.js";
import * as reference from "./reference.js";

const VIEWS = { wallets, decisions, renewals, exchanges, reference };
const TITLES = { wallets: "Wallets", decisions: "Decisions", renewals: "Renewals", exchanges: "Exchanges", reference: "API" };

const main = document.getElementById("main");
let about = null, leave = new AbortController(), shown = null;

function route() {
  // A link within the page is no view.
  if (location.hash && !location.hash.startsWith("#/")) return;
  const [name = "wallets", id] = location.hash.slice(2).split("/").filter(Boolean).map(decodeURIComponent);
  const view = VIEWS[name] ? name : "wallets";
  leave.abort();
  leave = new AbortController();
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  document.title = `${TITLES[view]} · HyperDEX Keys`;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === `#/${view}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const context = { signal: leave.signal, about, id, fresh: shown === view };
  (view === "wallets" && id ? wallet : VIEWS[view]).show(main, context);
  // After the first one the reader goes to where the new view begins.
  if (shown !== null) { main.focus({ preventScroll: true }); scrollTo(0, 0); }
  shown = view;
}

const stack = document.getElementById("stack");

async function look() {
  let text, kind;
  try {
    about = await read("about");
    [text, kind] = [`tenant ${about.tenant}`, "good"];
  } catch (error) {
    about = null;
    [text, kind] = error.status === 0 ? ["no answer", "bad"] : [error.status === 401 ? "API key wanted" : error.status === 403 ? "API key refused" : error.message, "bad"];
  }
  if (stack.textContent !== text) stack.textContent = text;
  stack.className = `stack ${kind}`;
  document.getElementById("key").classList.toggle("wanted", kind === "bad" && text.startsWith("API key"));
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
    h("header", null, h("h2", { id: "key-title" }, "API key")),
    h("div", { class: "field" }, h("label", { for: "key-text" }, "X-API-KEY"), input,
      h("p", { class: "fine", id: "key-help" }, "Made by `cargo run -- keys add NAME`. While the stack has none, leave it empty. It stays in this tab and is gone with it.")),
    h("footer", null, h("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, "Cancel"), h("button", { type: "submit", class: "primary" }, "Use it"))));
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

colours();
fill(main);
document.getElementById("key").addEventListener("click", askKey);
addEventListener("hashchange", route);
setInterval(time.tick, 1_000);
every(10_000, new AbortController().signal, look).then(route);
