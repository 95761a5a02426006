// The dialogs that place, change, cancel and read orders, close positions and set leverage.

import { h } from "./dom.js";
import { EXCHANGES, badge, copyable, stamp } from "./parts.js";
import { open } from "./operation.js";

const TYPES = [["LIMIT", "LIMIT"], ["MARKET", "MARKET"], ["STOP_MARKET", "STOP_MARKET"], ["TAKE_PROFIT_MARKET", "TAKE_PROFIT_MARKET"], ["STOP_LIMIT", "STOP_LIMIT"]];
const TIMES = [["", "default (GTC)"], ["GTC", "GTC: until cancelled"], ["IOC", "IOC: at once, the rest is cancelled"], ["FOK", "FOK: at once and whole, or not at all"], ["POST_ONLY", "POST_ONLY: only if it rests"]];
const hasPrice = ({ type }) => type === "LIMIT" || type === "STOP_LIMIT";
const hasTrigger = ({ type }) => ["STOP_MARKET", "TAKE_PROFIT_MARKET", "STOP_LIMIT"].includes(type);

const path = (exchange, rest = "") => `/api/trading/${exchange}/${rest}`;
const named = (wallet) => ({ walletIdOrAddress: wallet.userId });
const query = (values) => `?${new URLSearchParams(Object.entries(values).filter(([, value]) => value))}`;
/** Returns the fields of an object that are set. */
const filled = (values) => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== "" && value !== false && value !== undefined));

/** The name of an order in a path: the exchange's id, or the caller's. */
const nameOf = (order) => order.orderId ?? order.clientOrderId;

const KINDS = { OPEN: "active", PARTIALLY_FILLED: "pending", FILLED: "active", CANCELED: "dim", REJECTED: "bad", UNKNOWN: "bad" };

/** The badge of an order's status, with the exchange's own word. */
export function statusBadge(order) {
  return h("span", { title: order.exchangeStatus }, badge(order.status, KINDS[order.status] ?? "dim"));
}

function orderFacts({ data }) {
  const order = data.order ?? data;
  if (!order.status) return [];
  return [
    ["Status", statusBadge(order), " ", h("span", { class: "dim" }, order.exchangeStatus)],
    order.orderId && ["orderId", copyable(order.orderId, "orderId")],
    order.clientOrderId && ["clientOrderId", copyable(order.clientOrderId, "clientOrderId")],
    ["Order", `${order.side} ${order.quantity} ${order.symbol}, ${order.type}${order.price !== "0" ? ` at ${order.price}` : ""}`],
    ["Filled", `${order.filledQuantity}${order.averagePrice ? ` at ${order.averagePrice}` : ""}`],
    ["Changed", stamp(order.timestamp)],
  ];
}

export function place(wallet, exchange, done) {
  const legs = exchange === "hyperliquid";
  open({
    title: `Place an order on ${EXCHANGES[exchange]}`,
    about: "The service executes the order at most once under its clientOrderId. Without one, it derives the id from the Idempotency-Key.",
    fields: [
      { name: "symbol", label: "Symbol", help: "The exchange's name, for example BTC, BTC-PERP or BTCUSDT." },
      { name: "side", label: "Side", kind: "choice", value: "BUY", options: [["BUY", "BUY"], ["SELL", "SELL"]] },
      { name: "type", label: "Type", kind: "choice", value: "LIMIT", options: TYPES },
      { name: "quantity", label: "Quantity" },
      { name: "price", label: "Price", when: hasPrice },
      { name: "triggerPrice", label: "Trigger price", when: hasTrigger },
      { name: "timeInForce", label: "Time in force", kind: "choice", options: TIMES, when: hasPrice },
      { name: "slippage", label: "Slippage", optional: true, help: "A fraction: 0.01 is one percent.", when: ({ type }) => type === "MARKET" },
      { name: "positionSide", label: "Position", kind: "choice", options: [["", "default (BOTH)"], ["BOTH", "BOTH"], ["LONG", "LONG"], ["SHORT", "SHORT"]], when: () => exchange === "aster" },
      { name: "takeProfit", label: "Take profit at", optional: true, when: (values) => legs && !hasTrigger(values) },
      { name: "stopLoss", label: "Stop loss at", optional: true, when: (values) => legs && !hasTrigger(values) },
      { name: "reduceOnly", label: "Only reduce a position", kind: "yes", value: false },
      { name: "clientOrderId", label: "clientOrderId", optional: true, help: "1 to 36 characters of A-Z a-z 0-9 . _ -, not only digits." },
    ],
    send: "Place",
    request: ({ takeProfit, stopLoss, ...values }) => ({
      method: "POST", path: path(exchange, "orders"),
      body: { ...named(wallet), ...filled(trimmed(values)), ...leg("takeProfit", takeProfit), ...leg("stopLoss", stopLoss) },
    }),
    facts: orderFacts, done,
  });
}

const trimmed = (values) => Object.fromEntries(Object.entries(values).map(([name, value]) => [name, typeof value === "string" ? value.trim() : value]));
const leg = (name, price) => (price?.trim() ? { [name]: { triggerPrice: price.trim() } } : {});

export function change(wallet, exchange, order, done) {
  open({
    title: `Change an order on ${EXCHANGES[exchange]}`,
    about: "Replaces the price and the quantity. Both are required. The quantity includes the part that is filled.",
    fields: [
      { name: "price", label: "Price", value: order.price },
      { name: "quantity", label: "Quantity", value: order.quantity },
    ],
    send: "Change",
    request: ({ price, quantity }) => ({
      method: "PUT", path: path(exchange, `orders/${encodeURIComponent(nameOf(order))}`),
      body: { ...named(wallet), price: price.trim(), quantity: quantity.trim(), ...symbolOf(exchange, order) },
    }),
    facts: orderFacts, done,
  });
}

/** Aster requires the market of an order that the service did not place. */
const symbolOf = (exchange, order) => (exchange === "aster" ? { symbol: order.symbol } : {});

export function cancel(wallet, exchange, order, done) {
  open({
    title: `Cancel an order on ${EXCHANGES[exchange]}`,
    about: `${order.side} ${order.quantity} ${order.symbol}${order.price !== "0" ? ` at ${order.price}` : ""}. The filled part stays.`,
    send: "Cancel the order", danger: true,
    request: () => ({ method: "DELETE", path: path(exchange, `orders/${encodeURIComponent(nameOf(order))}${query({ ...named(wallet), ...symbolOf(exchange, order) })}`) }),
    facts: orderFacts, done,
  });
}

export function cancelAll(wallet, exchange, symbol, done) {
  open({
    title: `Cancel all orders of a market on ${EXCHANGES[exchange]}`,
    about: "Cancels every open order of the market, also those that the service did not place.",
    fields: [{ name: "symbol", label: "Symbol", value: symbol }],
    send: "Cancel all", danger: true,
    request: (values) => ({ method: "DELETE", path: path(exchange, `orders${query({ ...named(wallet), symbol: values.symbol.trim() })}`) }),
    facts: ({ data }) => [["Orders", String(data.count)], ...data.orders.map((order) => [order.symbol, statusBadge(order), ` ${order.side} ${order.quantity}`])],
    done,
  });
}

export function lookUp(wallet, exchange) {
  open({
    title: `Read an order on ${EXCHANGES[exchange]}`,
    about: "Returns the order in its present state. For an order of unknown outcome, this call finds the outcome.",
    fields: [
      { name: "order", label: "orderId or clientOrderId" },
      { name: "symbol", label: "Symbol", optional: true, help: "Required on Aster for an order that the service did not place." },
    ],
    send: "Read",
    request: ({ order, symbol }) => ({ method: "GET", path: path(exchange, `orders/${encodeURIComponent(order.trim())}/status${query({ ...named(wallet), symbol: symbol.trim() })}`) }),
    facts: orderFacts,
  });
}

export function close(wallet, exchange, position, done) {
  open({
    title: `Close a position on ${EXCHANGES[exchange]}`,
    about: `${position.direction} ${position.size} ${position.symbol}. Sends an order that only reduces the position.`,
    fields: [
      { name: "quantity", label: "Quantity", optional: true, help: "Leave this empty to close the whole position." },
      { name: "type", label: "Type", kind: "choice", value: "MARKET", options: [["MARKET", "MARKET"], ["LIMIT", "LIMIT"]] },
      { name: "price", label: "Price", when: hasPrice },
    ],
    send: "Close", danger: true,
    request: ({ quantity, type, price }) => ({
      method: "POST", path: path(exchange, "positions/close"),
      body: { ...named(wallet), symbol: position.symbol, ...sideOf(position), ...filled(trimmed({ quantity, type: type === "MARKET" ? "" : type, price })) },
    }),
    facts: orderFacts, done,
  });
}

/** Names one of the two positions of a market in hedge mode. */
const sideOf = ({ positionSide }) => (positionSide && positionSide !== "BOTH" ? { positionSide } : {});

export function leverage(wallet, exchange, symbol, done) {
  open({
    title: `Set the leverage on ${EXCHANGES[exchange]}`,
    about: "Applies to the market, and to its open position.",
    fields: [
      { name: "symbol", label: "Symbol", value: symbol },
      { name: "leverage", label: "Leverage", help: "A whole number from 1." },
      { name: "marginMode", label: "Margin mode", kind: "choice", options: [["", "unchanged"], ["CROSS", "CROSS"], ["ISOLATED", "ISOLATED"]] },
    ],
    send: "Set",
    request: (values) => ({
      method: "POST", path: path(exchange, "leverage"),
      body: { ...named(wallet), symbol: values.symbol.trim(), leverage: whole(values.leverage), ...filled({ marginMode: values.marginMode }) },
    }),
    facts: ({ data }) => [["Symbol", data.symbol], ["Leverage", `${data.leverage}`], data.marginMode && ["Margin mode", data.marginMode]],
    done,
  });
}

/** Returns a number, or the text as it is, which the API refuses with its reason. */
export const whole = (text) => (/^\d{1,9}$/.test(text.trim()) ? Number(text) : text.trim());
