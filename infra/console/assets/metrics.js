// The metrics of the last hours, and the alarms in state ALARM.

import { fill, h, say } from "./dom.js";
import { read } from "./api.js";
import { badge, errorBox, every, stamp } from "./parts.js";
import { panels as charts } from "./charts.js";

export function show(main, { signal, about }) {
  const only = about?.readOnly === true;
  const alarms = h("section", { "aria-labelledby": "alarms" }), panels = h("section", { "aria-labelledby": "series" }), note = h("p", { class: "fine" });
  fill(main, h("div", { class: "heading" }, h("h1", null, "Metrics")), only && alarms, panels, note);
  let rang = null;
  return every(30_000, signal, async () => {
    try {
      const read_ = await read("metrics", null, signal);
      fill(alarms, h("h2", { id: "alarms" }, "Alarms"), ringing(read_.alarms));
      const now = read_.alarms.map((alarm) => alarm.name).join();
      if (rang !== null && now && now !== rang) say("The active alarms changed");
      rang = now;
      fill(panels, h("h2", { class: "hidden", id: "series" }, "Series"), charts(read_.series, read_));
      fill(note, ...source(read_, only));
    } catch (error) {
      if (error.name !== "AbortError") { fill(panels, errorBox(error)); fill(alarms); fill(note); }
    }
  });
}

/** Returns where the series come from. */
export function source({ now, from, periodS }, only) {
  const periods = `in periods of ${periodS / 60} minute${periodS === 60 ? "" : "s"}`;
  return only
    ? ["The whole deployment, all tenants: six hours up to ", stamp(now), `, from CloudWatch, ${periods}. The page refreshes each minute while it is visible.`]
    : ["Requests of your tenant to this stack since ", stamp(from), `, ${periods}. The stack keeps them in memory for one hour. They include the requests of this page.`];
}

export function ringing(alarms) {
  if (alarms.length === 0) return h("p", { class: "empty" }, "No active alarms.");
  return h("ul", { class: "alarms" }, alarms.map((alarm) => h("li", null, badge("alarm", "bad"), " ", h("strong", null, alarm.name),
    alarm.since && h("span", { class: "dim" }, " since ", stamp(alarm.since)), h("div", { class: "reason" }, alarm.description))));
}
