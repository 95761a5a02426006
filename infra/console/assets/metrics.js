// What a deployment has counted in the last hours, and its alarms that ring.

import { fill, h, say, svg } from "./dom.js";
import { read } from "./api.js";
import { EXCHANGES, badge, errorBox, every, stamp } from "./parts.js";

const TITLES = {
  Registrations: "Keys registered", RegistrationFailures: "Registrations that failed", CosignerRefusals: "Refused by the cosigner",
  CredentialDrift: "Differences from the exchange", RenewalBacklog: "Due after the renewal job's run", CredentialsExpiring: "Expire within seven days",
  CredentialsOverdue: "Expired before they were renewed", CredentialsRenewed: "Renewed", RenewalsFailed: "Renewals that failed",
  RegistrationsPending: "Registrations that nobody has ended", ExchangeBudgetUsed: "Of the exchange's budget", SecretsLost: "Secrets lost",
  SignatureFaults: "Signatures refused by an exchange", KeyGenerationMs: "To make a key", SigningMs: "To sign",
};
/** More than none of these wants somebody. */
const BAD = ["CosignerRefusals", "CredentialDrift", "CredentialsOverdue", "RenewalsFailed", "SecretsLost", "SignatureFaults"];

const STATS = { Sum: "in all", Maximum: "latest", p99: "latest, one in a hundred took longer" };
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
      if (rang !== null && now && now !== rang) say("The alarms that ring are others now");
      rang = now;
      fill(panels, read_.series.map((series) => panel(series, read_)));
      fill(note, "Six hours up to ", stamp(read_.now), `, from CloudWatch, in points of ${read_.periodS / 60} minutes. The page reads them each minute while it is visible.`);
    } catch (error) {
      if (error.name !== "AbortError") { fill(panels, errorBox(error)); fill(alarms); fill(note); }
    }
  });
}

function ringing(alarms) {
  if (alarms.length === 0) return h("p", { class: "empty" }, "None rings.");
  return h("ul", { class: "alarms" }, alarms.map((alarm) => h("li", null, badge("alarm", "bad"), " ", h("strong", null, alarm.name),
    alarm.since && h("span", { class: "dim" }, " since ", stamp(alarm.since)), h("div", { class: "reason" }, alarm.description))));
}

function panel(series, { from, now }) {
  const title = TITLES[series.metric] ?? series.metric;
  const name = series.exchange ? `${title}, ${EXCHANGES[series.exchange]}` : title;
  const values = series.points.map(([, value]) => value);
  const shown = series.stat === "Sum" ? values.reduce((sum, value) => sum + value, 0) : values.at(-1);
  const text = shown === undefined ? "nothing" : `${Math.round(shown * 10) / 10}${UNITS[series.unit] ?? ` ${series.unit}`}`;
  const bad = BAD.includes(series.metric) && shown > 0;
  return h("section", { class: "card", "aria-label": name },
    h("header", null, h("h2", null, name), bad && badge("look", "bad")),
    h("p", null, h("strong", null, text), h("span", { class: "dim" }, shown === undefined ? " was measured" : ` ${STATS[series.stat] ?? series.stat}`)),
    line(series.points, from, now, `${name}: ${text}`));
}

/** Each point a column from the line of nothing up. */
function line(points, from, to, label) {
  const most = Math.max(1, ...points.map(([, value]) => value));
  const place = (at) => Math.max(0, Math.min(99, ((at - from) / Math.max(1, to - from)) * 100));
  return svg("svg", { class: "spark", viewBox: "0 0 100 24", preserveAspectRatio: "none", role: "img", "aria-label": label },
    svg("rect", { class: "track", y: 23.5, width: 100, height: 0.5 }),
    points.filter(([, value]) => value > 0).map(([at, value]) => svg("rect", { class: "fill", x: place(at), y: 24 - Math.max(1, (value / most) * 23), width: 1.1, height: Math.max(1, (value / most) * 23) })));
}
