// The tenant's wallets in pages, and the search.

import { fill, h, say } from "./dom.js";
import { Refused, call, read } from "./api.js";
import { EXCHANGES, IDENTIFIER, badge, copyable, countdown, errorBox, every, freezeBadges, short, stamp } from "./parts.js";
import { iso, save } from "./csv.js";
import { open } from "./operation.js";

const LIMIT = 25;
/** Wallets in one request of an export. */
const EXPORT_LIMIT = 100;
/** Maximum number of rows of an export. */
const EXPORT_ROWS = 20_000;
const COLUMNS = {
  userId: ({ wallet }) => wallet.userId, walletId: ({ wallet }) => wallet.walletId, address: ({ wallet }) => wallet.address, createdAt: ({ wallet }) => iso(wallet.createdAt),
  frozen: ({ wallet }) => Boolean(wallet.frozen || wallet.operatorFreeze), exchange: ({ key }) => key.exchange, state: ({ key }) => key.state, agentAddress: ({ key }) => key.agentAddress,
  agentName: ({ key }) => key.agentName, expiresAt: ({ key }) => (key.isApiKey ? "" : iso(key.expiresAt)), autoRenew: ({ key }) => key.autoRenew,
};

/** The cursors of the previous pages. */
let cursors = [""];

export function createWallet(userId = "") {
  open({
    title: "Create a wallet",
    about: "The two parties generate the key together; neither ever holds the whole key. If the user already has a wallet, the response returns it.",
    fields: [{ name: "userId", label: "userId", value: userId, help: "Your platform's name for the user: 1 to 128 characters of A-Z a-z 0-9 _ . : @ | -" }],
    send: "Create",
    request: ({ userId }) => ({ method: "POST", path: "/api/wallets", body: { userId: userId.trim() } }),
    facts: (wallet) => [["userId", wallet.userId], ["address", copyable(wallet.address, "address")], ["walletId", copyable(wallet.walletId, "walletId")]],
    done: ({ body }) => { location.hash = `#/wallets/${body.walletId}`; },
  });
}

const STATES = { "": "Any state", active: "active", pending: "pending", rotating: "rotating", revoking: "revoking", expired: "expired", none: "no trading key", frozen: "frozen" };

export function show(main, { signal, fresh, about }) {
  const only = about?.readOnly === true;
  if (fresh) cursors = [""];
  const found = h("div", { class: "found" });
  const search = h("input", { type: "search", id: "search", name: "search", placeholder: `${IDENTIFIER}, or a prefix`, autocomplete: "off", spellcheck: "false", autocapitalize: "off", oninput: () => narrow(300) });
  const state = h("select", { id: "state", onchange: () => narrow(0) }, Object.entries(STATES).map(([value, text]) => h("option", { value }, text)));
  const form = h("form", { role: "search", class: "search", onsubmit: (event) => { event.preventDefault(); find(search.value.trim()); } },
    h("label", { for: "search", class: "hidden" }, `Find a wallet: ${IDENTIFIER}, or a prefix`), search,
    h("button", { type: "submit" }, "Find"), h("kbd", { title: "Press this key to search" }, "/"),
    h("label", { for: "state", class: "hidden" }, "State of the trading keys"), state,
    h("button", { type: "button", class: "quiet", "aria-label": "Export wallets as CSV", onclick: (event) => exportAll(event.currentTarget, filter(), signal, only) }, "CSV"));
  const list = h("div", { "aria-live": "off" });
  const pages = h("div", { class: "pages" });
  fill(main,
    h("div", { class: "heading" }, h("h1", null, "Wallets"), !only && h("button", { type: "button", class: "primary", onclick: () => createWallet() }, "Create a wallet")),
    form, found, list, pages);
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea, select, dialog");
    if (event.key === "/" && !typing) { event.preventDefault(); search.focus(); }
  }, { signal });

  const filter = () => ({ ...(search.value.trim() && { prefix: search.value.trim() }), ...(state.value && { state: state.value }) });
  let asked = 0, timer;
  const load = async () => {
    const mine = ++asked, by = filter();
    try {
      const page = await pageOf(cursors.at(-1), by, signal, only);
      // Another search has started.
      if (mine !== asked) return;
      if (!list.contains(document.activeElement)) fill(list, table(page, by, only));
      fillPages(pages, page, load);
    } catch (error) {
      if (error.name !== "AbortError" && mine === asked) { fill(list, errorBox(error)); fill(pages); }
    }
  };
  const narrow = (wait) => {
    clearTimeout(timer);
    timer = setTimeout(() => { cursors = [""]; fill(found); load(); }, wait);
  };
  /** Opens the wallet with exactly this name, or the only wallet whose name has this prefix. */
  const find = async (name) => {
    clearTimeout(timer);
    if (!name) { cursors = [""]; return load(); }
    fill(found);
    try {
      location.hash = `#/wallets/${(await exactly(name, only)).walletId}`;
    } catch (error) {
      if (error.code !== "WALLET_NOT_FOUND" && error.status !== 400) return fill(found, errorBox(error));
      cursors = [""];
      await load();
      const links = [...list.querySelectorAll("tbody th a")];
      if (links.length === 1) location.hash = links[0].getAttribute("href");
      if (links.length > 0) return;
      const create = !only && error.code === "WALLET_NOT_FOUND" && isUser(name)
        && h("p", null, h("button", { type: "button", onclick: () => createWallet(name) }, `Create a wallet for ${name}`));
      fill(found, errorBox(error, create));
    }
  };
  signal.addEventListener("abort", () => clearTimeout(timer));
  return every(5_000, signal, load);
}

/** Saves all wallets of the search with their trading keys, one row for each key. */
async function exportAll(button, by, signal, only) {
  const rows = [];
  let cursor = "";
  button.disabled = true;
  try {
    do {
      const page = await pageOf(cursor, by, signal, only, EXPORT_LIMIT);
      for (const wallet of page.wallets) {
        const keys = wallet.credentials.length ? wallet.credentials : [{}];
        rows.push(...keys.map((key) => ({ wallet, key })));
      }
      cursor = page.next;
      button.textContent = `${rows.length} rows …`;
    } while (cursor && rows.length < EXPORT_ROWS);
    save(cursor ? "wallets-incomplete.csv" : "wallets.csv", COLUMNS, rows);
    if (cursor) say(`The file ends after ${rows.length} rows. Narrow the search to export the others.`);
  } catch (error) {
    if (error.name !== "AbortError") say(`The export failed: ${error.message}`);
  } finally {
    button.disabled = false;
    button.textContent = "CSV";
  }
}

const isUser = (name) => !/^0x[0-9a-f]{40}$|^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(name);

async function exactly(name, only) {
  return only ? findThere(name) : (await call({ method: "GET", path: `/api/wallets/${encodeURIComponent(name)}` })).body;
}

/** The same search in an operator's console, which has no API. */
async function findThere(name) {
  const { wallets: [wallet] } = await read("wallets", { ids: name });
  if (!wallet) throw new Refused(404, { error: "Wallet not found", code: "WALLET_NOT_FOUND", message: "This tenant has no wallet with this name. To search another tenant, restart the console with another --tenant." });
  return wallet;
}

async function pageOf(cursor, by, signal, only, limit = LIMIT) {
  const query = { ...by, ...(cursor && { cursor }) };
  if (by.prefix || by.state) {
    const { wallets, nextCursor, lookedAt } = await read("search", query, signal);
    return { wallets, next: nextCursor, lookedAt };
  }
  query.limit = limit;
  const body = only ? await read("list", query, signal) : (await call({ method: "GET", path: `/api/wallets?${new URLSearchParams(query)}` }, signal)).body;
  const ids = body.wallets.map((wallet) => wallet.walletId).join(",");
  const { wallets } = ids ? await read("wallets", { ids }, signal) : { wallets: [] };
  return { wallets, next: body.nextCursor };
}

function table({ wallets, next, lookedAt }, by, only) {
  if (wallets.length === 0) {
    if (next && lookedAt !== undefined) return h("p", { class: "empty" }, `No match among ${lookedAt} wallets. Select “Next” to continue the search.`);
    if (by.prefix || by.state) return h("p", { class: "empty" }, "No matching wallets.");
    return h("p", { class: "empty" }, cursors.length > 1 ? "No more wallets." : only ? "This tenant has no wallets." : "No wallets yet. Create the first one with the button above or with curl.");
  }
  return h("div", { class: "table" }, h("table", null,
    h("caption", { class: "hidden" }, "Wallets and their credentials"),
    h("thead", null, h("tr", null, ["User", "Address", "Aster", "Hyperliquid", "Created"].map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", null, wallets.map((wallet) => h("tr", null,
      h("th", { scope: "row" }, h("a", { href: `#/wallets/${wallet.walletId}` }, wallet.userId), freezeBadges(wallet)),
      h("td", { "data-label": "Address" }, copyable(wallet.address, "address", short(wallet.address))),
      Object.keys(EXCHANGES).map((exchange) => h("td", { "data-label": EXCHANGES[exchange] }, credential(wallet, exchange))),
      h("td", { "data-label": "Created", class: "dim" }, stamp(wallet.createdAt)))))));
}

function credential(wallet, exchange) {
  const known = wallet.credentials.find((one) => one.exchange === exchange);
  if (!known) return h("span", { class: "dim" }, "none");
  const live = !known.isApiKey && known.state !== "pending" && known.state !== "revoking";
  return [badge(known.state), " ", live && h("span", { class: "dim" }, countdown(known.expiresAt))];
}

function fillPages(pages, { next }, load) {
  if (cursors.length === 1 && !next) return fill(pages);
  const turn = (change) => () => { change(); load(); };
  fill(pages,
    h("button", { type: "button", disabled: cursors.length === 1, onclick: turn(() => cursors.pop()) }, "Back"),
    h("span", { class: "dim" }, `Page ${cursors.length}`),
    h("button", { type: "button", disabled: !next, onclick: turn(() => cursors.push(next)) }, "Next"));
}
