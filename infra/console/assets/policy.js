// The trading policy of the tenant, or of one wallet.

import { fill, h } from "./dom.js";
import { call, read } from "./api.js";
import { countdown, errorBox, stamp } from "./parts.js";
import { open } from "./operation.js";
import { whole } from "./orders.js";

const FIELDS = {
  symbols: "Symbols", maxOrderNotional: "Maximum order value, dollars", maxPositionNotional: "Maximum position value, dollars", maxLeverage: "Maximum leverage",
  ordersPerMinute: "Orders per minute", reduceOnly: "Only reduce positions", maxSlippage: "Maximum slippage",
  builders: "Allowed builders", maxBuilderFee: "Maximum builder fee, tenths of a basis point",
};
/** The meaning of a missing limit. */
const NONE = { symbols: "all", maxPositionNotional: "no limit", maxLeverage: "no limit", builders: "the deployment's", maxBuilderFee: "no limit" };

const text = (name, value) => (value === undefined || value === null ? NONE[name] : Array.isArray(value) ? value.join(", ") || "none" : typeof value === "boolean" ? (value ? "yes" : "no") : String(value));

/** The section of a policy. Without a wallet, of the tenant's. `only` reads the table instead of the API. */
export function section({ signal, wallet, only }) {
  const body = h("div", null), tools = h("span", { class: "actions" });
  const load = async () => {
    try {
      const data = await ask(wallet, only, signal);
      fill(tools, !only && h("button", { type: "button", "data-does": "policy", onclick: () => change(wallet, data, load) }, "Change the policy"));
      fill(body, draw(wallet, data));
    } catch (error) {
      if (error.name !== "AbortError") fill(body, errorBox(error));
    }
  };
  load();
  return h("section", { class: "part", "aria-labelledby": "policy" },
    h("div", { class: "heading" }, h("h2", { id: "policy" }, wallet ? "Trading policy of this wallet" : "Trading policy of the tenant"), tools), body);
}

async function ask(wallet, only, signal) {
  if (only) return (await read("policy", wallet && { wallet: wallet.walletId }, signal)).data;
  const query = wallet ? `?${new URLSearchParams({ walletIdOrAddress: wallet.userId })}` : "";
  return (await call({ method: "GET", path: `/api/trading/policy${query}` }, signal)).body.data;
}

function draw(wallet, { policy, wallet: own, effective, pending }) {
  const heads = ["Limit", ...(wallet ? ["This wallet"] : []), "Tenant", "In effect"];
  const set = (fields, name) => (fields[name] === undefined ? h("span", { class: "dim" }, "not set") : text(name, fields[name]));
  return [
    pending && h("div", { class: "once", role: "status" },
      h("p", null, h("strong", null, "A looser policy waits. "), "It takes effect ", countdown(pending.from, "now"), ", at ", stamp(pending.from), ". A change by a key with the scope admin replaces it. Other changes keep it."),
      h("ul", null, Object.keys(FIELDS).filter((name) => pending.policy[name] !== undefined).map((name) => h("li", null, `${FIELDS[name]}: ${text(name, pending.policy[name])}`))),
      Object.keys(pending.policy).length === 0 && h("p", null, "It sets no limit: the defaults apply.")),
    h("div", { class: "table" }, h("table", null, h("caption", { class: "hidden" }, "Trading policy"),
      h("thead", null, h("tr", null, heads.map((head) => h("th", { scope: "col" }, head)))),
      h("tbody", null, Object.keys(FIELDS).map((name) => h("tr", null, h("th", { scope: "row" }, FIELDS[name]),
        wallet && h("td", { "data-label": "This wallet" }, set(own ?? {}, name)),
        h("td", { "data-label": "Tenant" }, set(policy, name)),
        h("td", { "data-label": "In effect" }, h("strong", null, text(name, effective[name])))))))),
    h("p", { class: "fine" }, "The service checks the policy before it signs an order. Endpoint code enforces it: the cosigner does not."),
  ];
}

function change(wallet, { policy, wallet: own }, done) {
  const set = (wallet ? own : policy) ?? {};
  const missing = wallet ? "Empty: the tenant's value." : "Empty: the default.";
  const value = (name) => (set[name] === undefined ? "" : Array.isArray(set[name]) ? set[name].join(", ") || "none" : String(set[name]));
  const field = (name, help = missing) => ({ name, label: FIELDS[name], value: value(name), optional: true, help });
  open({
    title: wallet ? "Change the trading policy of the wallet" : "Change the trading policy of the tenant",
    about: "Replaces all limits. A tighter policy is in effect at once. A looser one requires a key with the scope admin, and waits: the default is 24 hours.",
    fields: [
      field("symbols", `The exchange's names of the markets, separated by commas, or: none. ${missing}`),
      field("maxOrderNotional"), field("maxPositionNotional"), field("maxLeverage"), field("ordersPerMinute", `0 stops trading. ${missing}`),
      { name: "reduceOnly", label: FIELDS.reduceOnly, kind: "choice", value: value("reduceOnly"), options: [["", wallet ? "the tenant's value" : "default (no)"], ["true", "yes"], ["false", "no"]] },
      field("maxSlippage", `A fraction: 0.01 is one percent. ${missing}`),
      field("builders", `Addresses, separated by commas, or: none. ${missing}`), field("maxBuilderFee", `50 is 0.05 %. 0 allows no builder. ${missing}`),
    ],
    send: "Change",
    request: (values) => ({ method: "PUT", path: "/api/trading/policy", body: { ...(wallet && { walletIdOrAddress: wallet.userId }), ...limits(values) } }),
    facts: ({ data }) => [data.pending && ["Pending", "takes effect ", countdown(data.pending.from, "now")], ["In effect", data.pending ? "the tighter of both policies until then" : "at once"]],
    done,
  });
}

/** Returns the limits that are set, with the types of the API. */
function limits(values) {
  const set = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value.trim()]).filter(([, value]) => value !== ""));
  for (const name of ["symbols", "builders"]) if (set[name]) set[name] = set[name] === "none" ? [] : set[name].split(",").map((entry) => entry.trim()).filter(Boolean);
  for (const name of ["maxLeverage", "ordersPerMinute", "maxBuilderFee"]) if (set[name] !== undefined) set[name] = whole(set[name]);
  if (set.reduceOnly !== undefined) set.reduceOnly = set.reduceOnly === "true";
  return set;
}
