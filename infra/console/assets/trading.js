// Trading of one wallet: balances, positions, open orders, fills and the policy.

import { append, fill, h } from "./dom.js";
import { Refused, call, read } from "./api.js";
import { EXCHANGES, IDENTIFIER, badge, copyable, errorBox, short, stamp } from "./parts.js";
import { fields as columns, iso, save } from "./csv.js";
import * as orders from "./orders.js";
import * as policy from "./policy.js";
import * as time from "./time.js";

const get = (path, signal) => call({ method: "GET", path }, signal).then(({ body }) => body);

export function show(main, context) {
  return context.id ? wallet(main, context) : start(main, context);
}

/** Without a wallet: the search for one, and the tenant's policy. */
function start(main, { signal, about }) {
  const only = about?.readOnly === true;
  const found = h("div", null);
  const name = h("input", { type: "search", id: "trader", autocomplete: "off", spellcheck: "false", autocapitalize: "off", placeholder: IDENTIFIER });
  const find = async (event) => {
    event.preventDefault();
    fill(found);
    try {
      const { wallets: [wallet] } = await read("wallets", { ids: name.value.trim() }, signal);
      if (!wallet) throw new Refused(404, { error: "Wallet not found", code: "WALLET_NOT_FOUND" });
      location.hash = `#/trading/${wallet.walletId}`;
    } catch (error) {
      if (error.name !== "AbortError") fill(found, errorBox(error));
    }
  };
  fill(main,
    h("div", { class: "heading" }, h("h1", null, "Trading")),
    h("p", null, only ? "Trading policies, read from the wallets' table. The console over a deployment does not call the exchanges." : "Positions, orders and fills of a wallet, and the trading policy of the tenant."),
    h("form", { class: "search", role: "search", onsubmit: find }, h("label", { for: "trader", class: "hidden" }, `Open a wallet: ${IDENTIFIER}`), name, h("button", { type: "submit" }, "Open")),
    found, policy.section({ signal, only }));
}

async function wallet(main, { signal, id, part, about }) {
  const only = about?.readOnly === true;
  const crumbs = h("p", { class: "crumbs" }, h("a", { href: "#/trading" }, "Trading"));
  const body = h("div", null);
  fill(main, crumbs, h("div", { class: "heading" }, h("h1", null, "Trading")), body);
  let wallet;
  try {
    ({ wallets: [wallet] } = await read("wallets", { ids: id }, signal));
    if (!wallet) throw new Refused(404, { error: "Wallet not found", code: "WALLET_NOT_FOUND" });
  } catch (error) {
    if (error.name !== "AbortError") fill(body, errorBox(error));
    return;
  }
  document.title = `${wallet.userId}, trading · HyperDEX Keys`;
  const usable = (name) => wallet.credentials.some((one) => one.exchange === name && ["active", "rotating"].includes(one.state));
  const exchange = EXCHANGES[part] ? part : Object.keys(EXCHANGES).find(usable) ?? "hyperliquid";
  fill(main, crumbs,
    h("div", { class: "heading" }, h("h1", null, wallet.userId),
      !only && usable(exchange) && h("button", { type: "button", class: "primary", onclick: () => orders.place(wallet, exchange, refresh) }, "Place an order")),
    h("p", { class: "fine" }, copyable(wallet.address, "address", short(wallet.address)), " ", h("a", { href: `#/wallets/${wallet.walletId}` }, "Keys of this wallet")),
    !only && h("nav", { class: "tabs", "aria-label": "Exchange" }, Object.keys(EXCHANGES).map((name) => h("a", { href: `#/trading/${wallet.walletId}/${name}`, "aria-current": name === exchange && "page" }, EXCHANGES[name]))),
    body);
  const named = new URLSearchParams({ walletIdOrAddress: wallet.userId });
  const parts = only || !usable(exchange) ? [] : [
    balances(wallet, exchange, named, signal), positions(wallet, exchange, signal, () => refresh()),
    open(wallet, exchange, named, signal), fills(wallet, exchange, named, signal),
  ];
  const refresh = () => Promise.all(parts.map(({ load }) => load()));
  fill(body, !only && !usable(exchange) && h("p", { class: "empty" }, `This wallet has no active trading key on ${EXCHANGES[exchange]}. `, h("a", { href: `#/wallets/${wallet.walletId}` }, "Register one"), "."),
    parts.map(({ section }) => section), policy.section({ signal, wallet, only }));
  await refresh();
}

/**
 * A part of the page: `ask` returns its data, `draw` its content. It is read on request only, because each read uses the
 * budget of the exchange.
 */
function part({ id, title, tools = [], ask, draw }) {
  const content = h("div", { class: "content" }), at = h("span", { class: "fine", role: "status" });
  const load = async () => {
    const focused = content.contains(document.activeElement) && document.activeElement.dataset.does;
    try {
      at.textContent = "reading …";
      const data = await ask();
      fill(content, draw(data));
      fill(at, "read at ", stamp(time.now()));
      // Redrawing removes the focused button. Focus the new button of the same name, or the refresh.
      if (focused) (content.querySelector(`[data-does="${CSS.escape(focused)}"]`) ?? again).focus();
    } catch (error) {
      if (error.name === "AbortError") return;
      fill(content, errorBox(error));
      at.textContent = "";
    }
  };
  const again = h("button", { type: "button", class: "quiet", "aria-label": `Refresh ${title.toLowerCase()}`, onclick: load }, "Refresh");
  const section = h("section", { class: "part", "aria-labelledby": id },
    h("div", { class: "heading" }, h("h2", { id }, title), at, h("span", { class: "actions" }, again, tools)), content);
  return { section, load };
}

function table(caption, heads, rows, empty) {
  if (rows.length === 0) return h("p", { class: "empty small" }, empty);
  return h("div", { class: "table" }, h("table", null, h("caption", { class: "hidden" }, caption),
    h("thead", null, h("tr", null, heads.map((text) => h("th", { scope: "col" }, text || h("span", { class: "hidden" }, "Actions"))))),
    h("tbody", null, rows.map(([head, ...cells]) => h("tr", null, h("th", { scope: "row" }, head),
      cells.map((cell, at) => h("td", { "data-label": heads[at + 1] || null, class: heads[at + 1] ? null : "actions" }, cell)))))));
}

const button = (does, text, label, onclick, kind) => h("button", { type: "button", class: kind ?? "quiet", "data-does": does, "aria-label": label, onclick }, text);
const csvButton = (label, onclick) => h("button", { type: "button", class: "quiet", "aria-label": `Export ${label} as CSV`, onclick }, "CSV");
/** A profit or a loss in its colour. Zero has none. */
const signed = (text) => (text === undefined || text === null ? "" : h("span", { class: /[1-9]/.test(text) ? (/^-/.test(text) ? "loss" : "gain") : null }, text));

/** The part of the account that a balance belongs to. Two rows can have the same asset. */
const pocket = ({ accountType, dex }) => `${{ PERPS: "perpetuals", SPOT: "spot" }[accountType] ?? accountType ?? ""}${dex ? `, ${dex}` : ""}`;

function balances(wallet, exchange, named, signal) {
  return part({
    id: "balances", title: "Balances",
    ask: () => get(`/api/trading/${exchange}/balances?${named}`, signal),
    draw: ({ data }) => [
      (data.accountValue || data.withdrawable) && h("p", null, data.accountValue && ["Account value ", h("strong", null, data.accountValue), " "], data.withdrawable && ["withdrawable ", h("strong", null, data.withdrawable)]),
      table("Balances", ["Asset", "Account", "Total", "Free", "Locked"], data.balances.map((one) => [one.asset, pocket(one), one.total, one.free, one.locked]), "No balances."),
      data.unread?.length > 0 && h("p", { class: "fine" }, `The exchange did not state the balances of: ${data.unread.map((accountType) => pocket({ accountType })).join(", ")}.`)],
  });
}

function positions(wallet, exchange, signal, refresh) {
  let all = [];
  const found = part({
    id: "positions", title: "Positions",
    tools: [
      button("leverage", "Leverage", "Set the leverage of a market", () => orders.leverage(wallet, exchange, all[0]?.symbol ?? "", () => found.load())),
      csvButton("positions", () => save(`positions-${wallet.userId}-${exchange}.csv`, columns("symbol", "exchange", "direction", "size", "entryPrice", "markPrice", "liquidationPrice", "unrealizedPnl", "unrealizedPnlPercent", "leverage", "marginMode", "positionSide", "notional", "collateral", "margin"), all)),
    ],
    ask: () => get(`/api/trading/${exchange}/positions/${encodeURIComponent(wallet.address)}`, signal),
    draw: ({ positions: listed }) => {
      all = listed;
      return table("Positions", ["Symbol", "Direction", "Size", "Entry", "Mark", "Liquidation", "Profit or loss", "Leverage", ""], listed.map((one) => [
        one.symbol, badge(one.direction, one.direction === "LONG" ? "active" : "bad"), one.size, one.entryPrice, one.markPrice, one.liquidationPrice ?? "none",
        signed(one.unrealizedPnl), `${one.leverage}×`,
        button(`close-${one.symbol}-${one.direction}`, "Close", `Close the position ${one.direction} ${one.symbol}`, () => orders.close(wallet, exchange, one, refresh), "danger-quiet"),
      ]), "No positions.");
    },
  });
  return found;
}

const ORDER_COLUMNS = columns("orderId", "clientOrderId", "exchange", "symbol", "exchangeSymbol", "side", "type", "status", "exchangeStatus", "price", "quantity", "filledQuantity", "averagePrice", "timeInForce", "reduceOnly", "triggerPrice");

function open(wallet, exchange, named, signal) {
  let all = [];
  // A change or a cancellation moves no position. Each further read would use the exchange's budget.
  const refresh = () => found.load();
  const found = part({
    id: "orders", title: "Open orders",
    tools: [
      button("read", "Read an order", undefined, () => orders.lookUp(wallet, exchange)),
      button("cancel-all", "Cancel all", "Cancel all orders of a market", () => orders.cancelAll(wallet, exchange, all[0]?.symbol ?? "", refresh), "danger-quiet"),
      csvButton("open orders", () => save(`orders-${wallet.userId}-${exchange}.csv`, { ...ORDER_COLUMNS, time: (row) => iso(row.timestamp) }, all)),
    ],
    ask: () => get(`/api/trading/${exchange}/orders?${named}`, signal),
    draw: ({ data }) => {
      all = data.orders;
      return table("Open orders", ["Symbol", "Side", "Type", "Price", "Filled", "Status", "Id", "Changed", ""], all.map((one) => [
        one.symbol, one.side, one.type, one.price === "0" ? one.triggerPrice ?? "market" : one.price, `${one.filledQuantity} of ${one.quantity}`, orders.statusBadge(one),
        copyable(one.clientOrderId ?? one.orderId, "order's id", short(one.clientOrderId ?? one.orderId)), stamp(one.timestamp),
        [button(`change-${one.orderId}`, "Change", `Change the order ${one.clientOrderId ?? one.orderId}`, () => orders.change(wallet, exchange, one, refresh)), " ",
          button(`cancel-${one.orderId}`, "Cancel", `Cancel the order ${one.clientOrderId ?? one.orderId}`, () => orders.cancel(wallet, exchange, one, refresh), "danger-quiet")],
      ]), "No open orders.");
    },
  });
  return found;
}

function fills(wallet, exchange, named, signal) {
  const symbol = h("input", { type: "text", id: "fills-symbol", autocomplete: "off", autocapitalize: "off", spellcheck: "false", placeholder: exchange === "aster" ? "required" : "all" });
  let all = [];
  const found = part({
    id: "fills", title: "Fills",
    tools: [csvButton("fills", () => save(`fills-${wallet.userId}-${exchange}.csv`, { ...columns("fillId", "orderId", "clientOrderId", "symbol", "side", "price", "quantity", "fee", "feeAsset", "realizedPnl", "liquidity"), time: (row) => iso(row.timestamp) }, all))],
    ask: () => {
      // Aster lists the fills of one market.
      if (exchange === "aster" && !symbol.value.trim()) return null;
      const query = new URLSearchParams(named);
      if (symbol.value.trim()) query.set("symbol", symbol.value.trim());
      return get(`/api/trading/${exchange}/fills?${query}`, signal);
    },
    draw: (body) => {
      all = body?.data.fills ?? [];
      if (!body) return h("p", { class: "empty small" }, "Enter a symbol above: Aster lists the fills of one market.");
      const { data } = body;
      return [table("Fills", ["Symbol", "Side", "Price", "Quantity", "Fee", "Realized", "Id", "Time"], all.map((one) => [
        one.symbol, one.side, one.price, one.quantity, one.fee && `${one.fee} ${one.feeAsset ?? ""}`, signed(one.realizedPnl),
        copyable(one.clientOrderId ?? one.orderId, "order's id", short(one.clientOrderId ?? one.orderId)), stamp(one.timestamp),
      ]), "No fills."), data.nextFrom && h("p", { class: "fine" }, "There may be later fills. Read them with the API: from=", String(data.nextFrom), ".")];
    },
  });
  append(found.section.querySelector(".heading"), [h("form", { class: "narrow", onsubmit: (event) => { event.preventDefault(); found.load(); } }, h("label", { for: "fills-symbol" }, "Symbol "), symbol)]);
  return found;
}
