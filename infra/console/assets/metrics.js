// The deployment's metrics of the last hours, and its alarms in state ALARM.

import { fill, h, say, svg } from "./dom.js";
import { read } from "./api.js";
import { EXCHANGES, badge, errorBox, every, stamp } from "./parts.js";

const TITLES = {
  Registrations: "Registrations", RegistrationFailures: "Failed registrations", CosignerRefusals: "Cosigner refusals",
  CredentialDrift: "Credential drift", RenewalBacklog: "Renewal backlog", CredentialsExpiring: "Expiring within seven days",
  CredentialsOverdue: "Expired before renewal", CredentialsRenewed: "Renewed", RenewalsFailed: "Failed renewals",
  RegistrationsPending: "Pending registrations", ExchangeBudgetUsed: "Exchange budget used", SecretsLost: "Secrets lost",
  SignatureFaults: "Signatures rejected by an exchange", KeyGenerationMs: "Key generation", SigningMs: "Signing",
};
/** Metrics of which any value above zero requires attention. */
const BAD = ["CosignerRefusals", "CredentialDrift", "CredentialsOverdue", "RenewalsFailed", "SecretsLost", "SignatureFaults"];

const STATS = { Sum: "in total", Maximum: "latest", p99: "latest, 99th percentile" };
const UNITS = { Count: "", Percent: " %", Milliseconds: " ms" };

export function show(main, { signal }) {
  const alarms = h("section", { "aria-labelledby": "alarms" }), panels = h("div", { class: "cards panels" }), note = h("p", { class: "fine" });
  fill(main, h("div", { class: "heading" }, h("h1", null, "Metrics")), alarms, panels, note);
  let rang = null;
  return every(30_000, signal, async () => {
    try {
      const read_ = await read("metrics", null, signal);
      fill(alarms, h("h2", { id: "alarms" }, "Alarms"), ringing(read_.alarms));
      const now = read_.alarms.map((alarm) => alarm.name).join();
      if (rang !== null && now && now !== rang) say("The active alarms changed");
      rang = now;
      fill(panels, read_.series.map((series) => panel(series, read_)));
      fill(note, "Six hours up to ", stamp(read_.now), `, from CloudWatch, in periods of ${read_.periodS / 60} minutes. The page refreshes each minute while it is visible.`);
    } catch (error) {
      if (error.name !== "AbortError") { fill(panels, errorBox(error)); fill(alarms); fill(note); }
    }
  });
}

function ringing(alarms) {
  if (alarms.length === 0) return h("p", { class: "empty" }, "No active alarms.");
  return h("ul", { class: "alarms" }, alarms.map((alarm) => h("li", null, badge("alarm", "bad"), " ", h("strong", null, alarm.name),
    alarm.since && h("span", { class: "dim" }, " since ", stamp(alarm.since)), h("div", { class: "reason" }, alarm.description))));
}

function panel(series, { from, now }) {
  const title = TITLES[series.metric] ?? series.metric;
  const name = series.exchange ? `${title}, ${EXCHANGES[series.exchange]}` : title;
  const values = series.points.map(([, value]) => value);
  const shown = series.stat === "Sum" ? values.reduce((sum, value) => sum + value, 0) : values.at(-1);
  const text = shown === undefined ? "no data" : `${Math.round(shown * 10) / 10}${UNITS[series.unit] ?? ` ${series.unit}`}`;
  const bad = BAD.includes(series.metric) && shown > 0;
  return h("section", { class: "card", "aria-label": name },
    h("header", null, h("h2", null, name), bad && badge("check", "bad")),
    h("p", null, h("strong", null, text), h("span", { class: "dim" }, shown === undefined ? "" : ` ${STATS[series.stat] ?? series.stat}`)),
    line(series.points, from, now, `${name}: ${text}`));
}

/** Draws each point as a column from the zero line. */
function line(points, from, to, label) {
  const most = Math.max(1, ...points.map(([, value]) => value));
  const place = (at) => Math.max(0, Math.min(99, ((at - from) / Math.max(1, to - from)) * 100));
  return svg("svg", { class: "spark", viewBox: "0 0 100 24", preserveAspectRatio: "none", role: "img", "aria-label": label },
    svg("rect", { class: "track", y: 23.5, width: 100, height: 0.5 }),
    points.filter(([, value]) => value > 0).map(([at, value]) => svg("rect", { class: "fill", x: place(at), y: 24 - Math.max(1, (value / most) * 23), width: 1.1, height: Math.max(1, (value / most) * 23) })));
}
