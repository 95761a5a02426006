// The state of the exchanges and their budgets.

import { fill, h } from "./dom.js";
import { read } from "./api.js";
import { VENUES, badge, errorBox, every, facts, stamp, useBar } from "./parts.js";
import * as time from "./time.js";

export function show(main, { signal, about }) {
  const cards = h("div", { class: "cards" });
  fill(main, h("div", { class: "heading" }, h("h1", null, "Exchanges")),
    h("p", null, about?.readOnly ? "Read from the wallets' table. The console does not call the exchanges, because a call uses their budgets."
      : "The console sends each exchange its cheapest request, at most every 10 seconds, from the budget of all requests."), cards);
  return every(5_000, signal, async () => {
    try {
      const { exchanges } = await read("exchanges", null, signal);
      fill(cards, exchanges.map((one) => card(one, about)));
    } catch (error) {
      if (error.name !== "AbortError") fill(cards, errorBox(error));
    }
  });
}

/** Returns the reason for a pause. */
function why(one) {
  if (one.pauseAskedFor) return ", because the exchange asked for it";
  return one.pauseBlocked ? ", because the exchange's edge blocks this address" : ", because requests kept failing";
}

function card(one, about) {
  const paused = one.pausedUntil > time.now();
  if (!one.answered) {
    return h("section", { class: "card", "aria-label": VENUES[one.exchange] },
      h("header", null, h("h2", null, VENUES[one.exchange]), paused ? badge("paused", "pending") : badge(one.failures > 0 ? "failing" : "not checked", one.failures > 0 ? "bad" : "dim")),
      facts(
        ["Failures", one.failures > 0 ? `${one.failures} in a row` : "none in a row"],
        paused && ["Paused", "until ", stamp(one.pausedUntil), why(one)]),
      h("p", null, "Weight of this minute: ", h("strong", null, one.weightUsed), ` of ${one.weightPerMinute}`),
      useBar(one.weightUsed, one.weightPerMinute, `${one.weightUsed} of ${one.weightPerMinute} used`));
  }
  return h("section", { class: "card", "aria-label": VENUES[one.exchange] },
    h("header", null, h("h2", null, VENUES[one.exchange]), badge(one.answered.ok ? "available" : "unavailable", one.answered.ok ? "active" : "bad"),
      paused && badge("paused", "pending"), badge(one.simulated ? "simulator" : "external", "dim")),
    facts(
      ["URL", h("code", null, one.url)], ["Network", one.network],
      ["Checked", stamp(one.answered.askedAt), ", ", one.answered.ok ? `response after ${one.answered.tookMs} ms` : one.answered.trouble],
      one.failures > 0 && ["Failures", `${one.failures} in a row`],
      paused && ["Paused", "until ", stamp(one.pausedUntil), why(one)],
      one.simulated && about?.requiresDeposit && ["Deposits", "required before any action"]),
    h("p", null, "Weight of this minute: ", h("strong", null, one.weightUsed), ` of ${one.weightPerMinute} available to jobs`),
    useBar(one.weightUsed, one.weightPerMinute, `${one.weightUsed} of ${one.weightPerMinute} used`),
    one.requests.length > 0 && h("details", { open: true }, h("summary", null, "Recent requests of the simulator"),
      h("ul", { class: "requests" }, one.requests.map((request) => h("li", null, h("span", { class: "at" }, stamp(request.at)), " ", h("code", null, request.kind), " ",
        badge(request.accepted ? "accepted" : "refused", request.accepted ? "dim" : "bad"), h("span", { class: "dim" }, ` weight ${request.weight}`))))));
}
