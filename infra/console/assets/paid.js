// The tenant's payments in pages: the cosigner's list, with the outcome in the service's records.

import { fill, h, say } from "./dom.js";
import { read } from "./api.js";
import { badge, copyable, errorBox, every, short, stamp } from "./parts.js";
import { fields, iso, save } from "./csv.js";

/** Payments in one request of an export. */
const EXPORT_LIMIT = 100;
/** Maximum number of rows of an export. */
const EXPORT_ROWS = 20_000;
/** The kinds of payments. */
export const KINDS = {
  HyperliquidWithdraw: "withdrawal from Hyperliquid", HyperliquidSendAsset: "send at Hyperliquid", HyperliquidMoveOwn: "own transfer at Hyperliquid",
  AsterWithdraw: "withdrawal from Aster", EvmTokenTransfer: "transfer on a chain",
};
const STATES = { COMPLETED: "active", SENT: "pending", SIGNED: "pending", ACCEPTED: "pending", UNKNOWN: "bad", REFUSED: "gone" };
const COUNTED = {
  counted: "counted, not signed", signed: "signed, not settled", expired: "signed, no longer valid",
  reportedCompleted: "settled, as reported by the service", reportedRefused: "not made, as reported by the service",
};
const COLUMNS = {
  ...fields("paymentId", "userId", "walletId", "kind", "amount", "asset", "venue", "destination", "state", "countedState"),
  at: (row) => iso(row.at), validUntil: (row) => iso(row.validUntil), ...fields("reference", "refusal"), reportedAt: (row) => iso(row.reportedAt), ...fields("reportedBy"),
};
const HEADS = ["Payment", "Wallet", "Kind", "Amount", "Destination", "State", "Time", "Reference"];

/** Returns the section, and refreshes it while the view is open. */
export function section(signal) {
  /** The starts of the pages up to this one. */
  const starts = [""];
  const list = h("div", null), pages = h("div", { class: "pages" });
  const part = h("section", { class: "part", "aria-labelledby": "payment-list" },
    h("div", { class: "heading" }, h("h2", { id: "payment-list" }, "Payments"),
      h("button", { type: "button", class: "quiet", "aria-label": "Export payments as CSV", onclick: (event) => exportAll(event.currentTarget, signal) }, "CSV")),
    h("p", { class: "fine" }, "Payments that the cosigner has counted, the newest first. A report of the service gives back no counted amount, and the cosigner cannot verify it."),
    list, pages);
  let asked = 0, last = "";
  const load = async () => {
    const mine = ++asked;
    try {
      const page = await pageOf(starts.at(-1), signal);
      if (mine !== asked) return;
      const said = JSON.stringify(page.payments);
      if (said !== last && !list.contains(document.activeElement)) { last = said; fill(list, table(page.payments, starts.length > 1)); }
      turns(pages, starts, page.next, load);
    } catch (error) {
      if (error.name === "AbortError" || mine !== asked) return;
      last = "";
      fill(list, errorBox(error));
      fill(pages);
    }
  };
  every(5_000, signal, load);
  return part;
}

const pageOf = (from, signal, limit) => read("payments", { ...(from && { from }), ...(limit && { limit }) }, signal);

function turns(pages, starts, next, load) {
  if (starts.length === 1 && !next) return fill(pages);
  const turn = (change) => () => { change(); load(); };
  fill(pages,
    h("button", { type: "button", disabled: starts.length === 1, onclick: turn(() => starts.pop()) }, "Back"),
    h("span", { class: "dim" }, `Page ${starts.length}`),
    h("button", { type: "button", disabled: !next, onclick: turn(() => starts.push(next)) }, "Next"));
}

function table(payments, isLater) {
  if (payments.length === 0) return h("p", { class: "empty small" }, isLater ? "No more payments." : "No payments.");
  return h("div", { class: "table" }, h("table", null, h("caption", { class: "hidden" }, "Payments"),
    h("thead", null, h("tr", null, HEADS.map((head) => h("th", { scope: "col" }, head)))),
    h("tbody", null, payments.map((one) => h("tr", null, cells(one).map((cell, at) =>
      (at === 0 ? h("th", { scope: "row" }, cell) : h("td", { "data-label": HEADS[at] }, cell))))))));
}

const cells = (one) => [
  copyable(one.paymentId, "payment's id", short(one.paymentId)),
  h("a", { href: `#/wallets/${one.walletId}` }, one.userId ?? short(one.walletId)),
  KINDS[one.kind] ?? one.kind,
  `${one.amount} ${one.asset}${one.venue.startsWith("evm:") ? ` on chain ${one.venue.slice(4)}` : ""}`,
  one.destination ? copyable(one.destination, "destination", short(one.destination)) : "the wallet itself",
  [badge((one.state ?? "no record").toLowerCase(), STATES[one.state] ?? "bad"), h("div", { class: "fine" }, COUNTED[one.countedState] ?? one.countedState, one.refusal && ` (${one.refusal})`)],
  stamp(one.at),
  one.reference ? copyable(one.reference, "reference", short(one.reference)) : "none",
];

/** Saves all payments of the list. */
async function exportAll(button, signal) {
  const rows = [];
  let from = "";
  button.disabled = true;
  try {
    do {
      const page = await pageOf(from, signal, EXPORT_LIMIT);
      rows.push(...page.payments);
      from = page.next;
      button.textContent = `${rows.length} rows …`;
    } while (from && rows.length < EXPORT_ROWS);
    save(from ? "payments-incomplete.csv" : "payments.csv", COLUMNS, rows);
    if (from) say(`The file ends after ${rows.length} rows.`);
  } catch (error) {
    if (error.name !== "AbortError") say(`The export failed: ${error.message}`);
  } finally {
    button.disabled = false;
    button.textContent = "CSV";
  }
}
