// Is anything wrong? Then counts, charts and recent refusals.

import { fill, h, say } from "./dom.js";
import { read } from "./api.js";
import { EXCHANGES, VENUES, badge, every, jobText, short, stamp } from "./parts.js";
import { panels, valueOf } from "./charts.js";
import { rows } from "./decisions.js";
import { source } from "./metrics.js";
import * as time from "./time.js";

const DAY = 86_400_000;
/** Metrics of the overview: registrations, orders, latency and errors. */
const CHARTS = ["Registrations", "RegistrationFailures", "OrdersPlaced", "OrdersRefused", "OrdersUnknown", "Count", "Latency", "4XXError", "5XXError"];
/** Maximum number of refusals that are listed. */
const SHOWN = 10;

export function show(main, { signal, about }) {
  const only = about?.readOnly === true;
  const verdict = h("section", { "aria-labelledby": "verdict" }), counts = h("section", { "aria-labelledby": "counts" });
  const charts = h("section", { "aria-labelledby": "charts" }), refused = h("section", { "aria-labelledby": "refusals" });
  fill(main, h("div", { class: "heading" }, h("h1", null, "Overview")), verdict, counts, charts, refused);
  let last = "", known = null;
  return every(10_000, signal, async () => {
    const found = await state(only, about, signal);
    if (!found) return;
    const problems = problemsOf(found);
    const said = JSON.stringify([problems.map(({ kind, title }) => [kind, title]), found.overview, found.metrics?.series, found.metrics?.refusals, found.decisions?.[0]?.hash]);
    if (said === last) return;
    last = said;
    const bad = problems.length;
    if (known !== null && known !== bad) say(bad ? `${count(bad, "item requires", "items require")} attention` : "Nothing requires attention");
    known = bad;
    // A reader may be in the list. Its links have the same order.
    const focused = document.activeElement?.dataset?.problem;
    fill(verdict, answer(problems, found));
    if (focused) verdict.querySelector(`[data-problem="${CSS.escape(focused)}"]`)?.focus();
    fill(counts, h("h2", { id: "counts" }, "Trading keys by state"), tallies(found));
    fill(charts, h("h2", { id: "charts" }, "Activity"), activity(found, only));
    fill(refused, h("h2", { id: "refusals" }, "Recent refusals"), refusals(found));
  });
}

/** Reads all parts. A part that cannot be read is a problem of its own. */
async function state(only, about, signal) {
  const failures = [];
  const part = async (name, what, ask) => {
    try {
      return await ask();
    } catch (error) {
      if (error.name === "AbortError") throw error;
      failures.push({ what, error });
      return null;
    }
  };
  try {
    const [overview, exchanges, decisions, metrics] = await Promise.all([
      part("overview", "the wallets' table", () => read("overview", null, signal)),
      part("exchanges", "the state of the exchanges", () => read("exchanges", null, signal).then((body) => body.exchanges)),
      part("decisions", "the cosigner's audit log", () => read("decisions", null, signal).then((body) => rows(body.decisions))),
      about?.hasMetrics ? part("metrics", "the metrics", () => read("metrics", null, signal)) : null,
    ]);
    return { overview, exchanges, decisions, metrics, failures };
  } catch {
    return null;
  }
}

const count = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;
const who = (one) => one.userId ?? `wallet ${short(one.walletId)}`;

/** Returns everything that requires attention: `{ kind, title, about, links }`. `kind` is `bad` or `pending`. */
function problemsOf({ overview, exchanges, decisions, metrics, failures }) {
  const found = failures.map(({ what, error }) => ({ kind: "bad", title: `Cannot read ${what}`, about: [error.message, error.advice && `: ${error.advice}`] }));
  const add = (there, problem) => { if (there) found.push(problem); };
  for (const alarm of metrics?.alarms ?? []) {
    found.push({ kind: "bad", title: `Alarm ${alarm.name}`, about: alarm.description, links: [["#/metrics", "Metrics"]] });
  }
  for (const one of exchanges ?? []) {
    const name = VENUES[one.exchange], links = [["#/exchanges", "Exchanges"]];
    if (one.pausedUntil > time.now()) found.push({ kind: "bad", title: `${name} is paused`, about: ["until ", stamp(one.pausedUntil)], links });
    else if (one.answered && !one.answered.ok) found.push({ kind: "bad", title: `${name} does not respond`, about: one.answered.trouble, links });
    else if (one.failures > 0) found.push({ kind: "pending", title: `${name} fails`, about: `${count(one.failures, "failure")} in a row`, links });
  }
  if (overview) {
    const { unknownOrders, expiring, troubled, wallets, credentials, webhooks } = overview;
    add(unknownOrders.total, {
      kind: "bad", title: `${count(unknownOrders.total, "order")} of unknown outcome`,
      about: "The exchange may have executed them. The job of the service looks them up each minute.",
      links: unknownOrders.first.map((one) => [one.exchange === "lighter" ? "#/exchanges" : `#/trading/${one.walletId}/${one.exchange}`, `${who(one)}: ${one.clientOrderId}, ${one.symbol} on ${VENUES[one.exchange]}, for ${time.span(time.now() - one.since)}`]),
    });
    const gone = expiring.first.filter((one) => one.expiresAt <= time.now()).length;
    add(unknownOrders.more, {
      kind: "bad", title: "Not all orders of unknown outcome were read",
      about: "An exchange has many of them, also of other tenants. This list is therefore not complete.",
      links: [["#/metrics", "Metrics"]],
    });
    add(expiring.total, {
      kind: gone ? "bad" : "pending", title: `${count(expiring.total, "trading key")} expired or expiring within seven days`,
      about: "The renewal job should have replaced them, unless automatic renewal is off.",
      links: expiring.first.map((one) => [`#/wallets/${one.walletId}`, `${who(one)}: ${EXCHANGES[one.exchange]}, ${time.until(one.expiresAt)}`, ["; next step: ", jobText(one.job)]]),
    });
    add(troubled.total, {
      kind: "bad", title: `${count(troubled.total, "trading key")} with differences or failed jobs`,
      links: troubled.first.map((one) => [`#/wallets/${one.walletId}`, `${who(one)}: ${EXCHANGES[one.exchange]}, ${[one.differences && `${count(one.differences, "difference")} from the exchange`, one.jobFailures && `${count(one.jobFailures, "failed job")} in a row`].filter(Boolean).join(", ")}`]),
    });
    add(credentials.pending, { kind: "pending", title: `${count(credentials.pending, "registration is", "registrations are")} not complete`, about: "Retry them: the service checks whether the exchange has approved the key.", links: [["#/wallets", "Wallets"]] });
    add(wallets.barred, { kind: "bad", title: `${count(wallets.barred, "wallet")} barred by a failed protocol run`, links: [["#/wallets", "Wallets, filter “frozen”"]] });
    add(wallets.frozenByOperator, { kind: "pending", title: `${count(wallets.frozenByOperator, "wallet")} frozen by an operator`, links: [["#/wallets", "Wallets, filter “frozen”"]] });
    add(webhooks.failing + webhooks.disabled, { kind: "bad", title: `${count(webhooks.failing + webhooks.disabled, "webhook")} failing or disabled`, links: [["#/webhooks", "Webhooks"]] });
  }
  const recent = (decisions ?? []).filter((one) => one.refused && one.at > time.now() - DAY);
  add(recent.length, { kind: "pending", title: `${count(recent.length, "refusal")} of the cosigner in the last 24 hours`, links: [["#/decisions", "Decisions"]] });
  const errors = (metrics?.series ?? []).filter((series) => series.metric === "5XXError").reduce((sum, series) => sum + valueOf(series), 0);
  add(errors, { kind: "bad", title: `${count(errors, "response")} with 5xx`, about: metrics && ["The service or an exchange failed, since ", stamp(metrics.from), "."], links: [["#/metrics", "Metrics"]] });
  return found.sort((one, other) => (one.kind === other.kind ? 0 : one.kind === "bad" ? -1 : 1));
}

function answer(problems, { overview, metrics }) {
  const good = problems.length === 0;
  return [
    h("div", { class: `verdict ${good ? "good" : problems[0].kind}` },
      h("h2", { id: "verdict" }, good ? "Nothing requires attention" : count(problems.length, "item requires attention", "items require attention")),
      h("p", { class: "fine" }, overview?.wallets.more ? `The first ${overview.wallets.counted} wallets and their trading keys, and orders, exchanges, webhooks and the cosigner` : "Wallets, trading keys, orders, exchanges, webhooks and the cosigner", metrics?.alarms && ", and alarms", overview && ["; read at ", stamp(overview.now)], ".")),
    !good && h("ul", { class: "problems" }, problems.map((one, at) => h("li", { class: one.kind },
      h("div", null, badge(one.kind === "bad" ? "fix" : "check", one.kind), " ", h("strong", null, one.title)),
      one.about && h("p", null, one.about),
      one.links?.length > 0 && h("ul", null, one.links.map(([href, text, more], link) => h("li", null, h("a", { href, "data-problem": `${at}.${link}` }, text), more)))))),
  ];
}

function tallies({ overview }) {
  if (!overview) return h("p", { class: "empty small" }, "The counts cannot be read.");
  const { wallets, credentials } = overview;
  const states = [["active", "active"], ["pending", "pending"], ["rotating", "rotating"], ["revoking", "revoking"], ["expired", "expired"]];
  return [
    h("dl", { class: "tallies" },
      states.map(([state, kind]) => h("div", null, h("dt", null, badge(state, kind)), h("dd", null, String(credentials[state])))),
      h("div", null, h("dt", null, badge("wallets without a key", "dim")), h("dd", null, String(wallets.withoutKey)))),
    h("p", { class: "fine" }, wallets.more ? `The first ${wallets.counted} wallets. The tenant has more, which are not counted here.` : `All ${count(wallets.counted, "wallet")} of the tenant.`, " ", h("a", { href: "#/wallets" }, "Wallets")),
  ];
}

function activity({ metrics }, only) {
  if (!metrics) return h("p", { class: "empty small" }, only ? "No metrics: start the console with --stack, with the permission to read CloudWatch." : "The metrics cannot be read.");
  const series = CHARTS.flatMap((name) => metrics.series.filter((one) => one.metric === name));
  return [panels(series, metrics), h("p", { class: "fine" }, ...source(metrics, only))];
}

/** Refusals of the cosigner and, on a local stack, requests with an error. */
function refusals({ decisions, metrics }) {
  const cosigner = (decisions ?? []).filter((one) => one.refused).map((one) => ({
    at: one.at, badge: "cosigner", title: one.reason, about: [h("a", { href: `#/wallets/${one.walletId}` }, who(one)), one.intent && `, ${one.intent}`],
  }));
  const api = (metrics?.refusals ?? []).map((one) => ({
    at: one.at, badge: `HTTP ${one.status}`, title: one.code ?? "no code", about: [h("code", null, `${one.method} ${one.path}`), one.requestId && `, request ${short(one.requestId)}`],
  }));
  const all = [...cosigner, ...api].sort((one, other) => other.at - one.at).slice(0, SHOWN);
  if (all.length === 0) return h("p", { class: "empty small" }, "No refusals.");
  return h("ol", { class: "feed" }, all.map((one) => h("li", { class: "refused" }, h("span", { class: "at" }, stamp(one.at)), badge(one.badge, "bad"),
    h("div", { class: "what" }, h("div", { class: "reason" }, one.title), h("div", { class: "fine" }, one.about)))));
}
