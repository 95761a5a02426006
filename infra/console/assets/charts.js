// Charts of series over time.

import { h, svg } from "./dom.js";
import { VENUES, badge } from "./parts.js";
import * as time from "./time.js";

const TITLES = {
  Registrations: "Registrations", RegistrationFailures: "Failed registrations", CosignerRefusals: "Cosigner refusals",
  CredentialDrift: "Credential drift", RenewalBacklog: "Renewal backlog", CredentialsExpiring: "Expiring within seven days",
  CredentialsOverdue: "Expired before renewal", CredentialsRenewed: "Renewed", RenewalsFailed: "Failed renewals",
  RegistrationsPending: "Pending registrations", ExchangeBudgetUsed: "Exchange budget used", SecretsLost: "Secrets lost",
  SignatureFaults: "Signatures rejected by an exchange", KeyGenerationMs: "Key generation", SigningMs: "Signing",
  OrdersPlaced: "Orders placed", OrdersRefused: "Orders refused", OrdersUnknown: "Orders of unknown outcome",
  OldestUnknownOrderMs: "Oldest unknown order", PolicyRefusals: "Refused by a trading policy",
  Count: "API requests", Latency: "API latency", "4XXError": "API errors 4xx", "5XXError": "API errors 5xx",
};
/** Metrics of which any value above zero requires attention. */
const BAD = ["CosignerRefusals", "CredentialDrift", "CredentialsOverdue", "RenewalsFailed", "SecretsLost", "SignatureFaults", "5XXError"];
/** Metrics of errors. */
const ERRORS = [...BAD, "RegistrationFailures", "OrdersRefused", "OrdersUnknown", "PolicyRefusals", "4XXError"];

const STATS = { Sum: "in total", Maximum: "latest", p99: "latest, 99th percentile" };
const UNITS = { Count: "", Percent: " %", Milliseconds: " ms" };

const shown = (series, value) => `${Math.round(value * 10) / 10}${UNITS[series.unit] ?? ` ${series.unit}`}`;

/** Returns the name of a series, with its exchange. */
export function titleOf(series) {
  const title = TITLES[series.metric] ?? series.metric;
  return series.exchange ? `${title}, ${VENUES[series.exchange]}` : title;
}

/** Returns the sum of a series of counts, or the latest value of another one. */
export function valueOf(series) {
  const values = series.points.map(([, value]) => value);
  return series.stat === "Sum" ? values.reduce((sum, value) => sum + value, 0) : values.at(-1);
}

/** A card with the value and the chart of a series. */
export function panel(series, { from, now, periodS }) {
  const name = titleOf(series), value = valueOf(series);
  const text = value === undefined ? "no data" : shown(series, value);
  const bad = BAD.includes(series.metric) && value > 0;
  const most = Math.max(0, ...series.points.map(([, value]) => value));
  return h("section", { class: "card", "aria-label": name },
    h("header", null, h("h3", null, name), bad && badge("check", "bad")),
    h("p", null, h("strong", null, text), h("span", { class: "dim" }, value === undefined ? "" : ` ${STATS[series.stat] ?? series.stat}`)),
    columns(series, from, now, periodS, `${name}: ${text}, highest ${shown(series, most)}`),
    h("p", { class: "axis", "aria-hidden": "true" }, h("span", null, clock(from)), most > 0 && h("span", null, `highest ${shown(series, most)}`), h("span", null, clock(now))));
}

/** Returns the hours and minutes of a time, in the time that the reader chose. */
const clock = (at) => time.date(at).slice(11, 16);

/** Draws each point as a column from the zero line. */
function columns(series, from, to, periodS, label) {
  const most = Math.max(1, ...series.points.map(([, value]) => value));
  const whole = Math.max(1, to - from);
  const width = Math.min(100, Math.max(0.6, ((periodS * 1_000) / whole) * 80));
  const place = (at) => Math.max(0, Math.min(100 - width, ((at - from) / whole) * 100));
  const height = (value) => Math.max(1, (value / most) * 23);
  return svg("svg", { class: `spark ${ERRORS.includes(series.metric) ? "errors" : ""}`, viewBox: "0 0 100 24", preserveAspectRatio: "none", role: "img", "aria-label": label },
    svg("rect", { class: "track", y: 23.5, width: 100, height: 0.5 }),
    series.points.filter(([, value]) => value > 0).map(([at, value]) => svg("rect", { class: "fill", x: place(at), y: 24 - height(value), width, height: height(value) })));
}

/** Cards of all series. */
export function panels(series, range) {
  return h("div", { class: "cards panels" }, series.map((one) => panel(one, range)));
}
