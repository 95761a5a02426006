// Whether the exchanges answer, and what may still be sent to them.

import { fill, h } from "./dom.js";
import { read } from "./api.js";
import { EXCHANGES, badge, errorBox, every, facts, stamp, useBar } from "./parts.js";
import * as time from "./time.js";

export function show(main, { signal, about }) {
  const cards = h("div", { class: "cards" });
  fill(main, h("div", { class: "heading" }, h("h1", null, "Exchanges")),
    h("p", null, about?.readOnly ? "What the wallets' table says. The exchanges are not asked: that would take from their budgets."
      : "Each is asked its cheapest question, at most every 10 seconds, from the same budget as everything else."), cards);
  return every(5_000, signal, async () => {
    try {
      const { exchanges } = await read("exchanges", null, signal);
      fill(cards, exchanges.map((one) => card(one, about)));
    } catch (error) {
      if (error.name !== "AbortError") fill(cards, errorBox(error));
    }
  });
}

/** Why nothing is sent. */
function why(one) {
  if (one.pauseAskedFor) return ", as the exchange has asked";
  return one.pauseBlocked ? ", because the exchange's edge blocks this address" : ", because it kept failing";
}

function card(one, about) {
  const paused = one.pausedUntil > time.now();
  if (!one.answered) {
    return h("section", { class: "card", "aria-label": EXCHANGES[one.exchange] },
      h("header", null, h("h2", null, EXCHANGES[one.exchange]), paused ? badge("paused", "pending") : badge(one.failures > 0 ? "fails" : "not asked", one.failures > 0 ? "bad" : "dim")),
      facts(
        ["Failures", one.failures > 0 ? `${one.failures} in a row` : "none in a row"],
        paused && ["Nothing is sent", "until ", stamp(one.pausedUntil), why(one)]),
      h("p", null, "Weight of this minute: ", h("strong", null, one.weightUsed), ` of ${one.weightPerMinute}`),
      useBar(one.weightUsed, one.weightPerMinute, `${one.weightUsed} of ${one.weightPerMinute} used`));
  }
  return h("section", { class: "card", "aria-label": EXCHANGES[one.exchange] },
    h("header", null, h("h2", null, EXCHANGES[one.exchange]), badge(one.answered.ok ? "answers" : "does not answer", one.answered.ok ? "active" : "bad"),
      paused && badge("paused", "pending"), badge(one.simulated ? "simulator" : "not simulated", "dim")),
    facts(
      ["URL", h("code", null, one.url)], ["Network", one.network],
      ["Asked", stamp(one.answered.askedAt), ", ", one.answered.ok ? `answered in ${one.answered.tookMs} ms` : one.answered.trouble],
      one.failures > 0 && ["Failures", `${one.failures} in a row`],
      paused && ["Nothing is sent", "until ", stamp(one.pausedUntil), why(one)],
      one.simulated && about?.requiresDeposit && ["Deposits", "are wanted before an account may act"]),
    h("p", null, "Weight of this minute: ", h("strong", null, one.weightUsed), ` of ${one.weightPerMinute} that jobs may use`),
    useBar(one.weightUsed, one.weightPerMinute, `${one.weightUsed} of ${one.weightPerMinute} used`),
    one.requests.length > 0 && h("details", { open: true }, h("summary", null, "What the simulator was asked last"),
      h("ul", { class: "requests" }, one.requests.map((request) => h("li", null, h("span", { class: "at" }, stamp(request.at)), " ", h("code", null, request.kind), " ",
        badge(request.accepted ? "taken" : "refused", request.accepted ? "dim" : "bad"), h("span", { class: "dim" }, ` weight ${request.weight}`))))));
}
