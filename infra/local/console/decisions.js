// The cosigner's decisions as they are made.

import { fill, h, say } from "./dom.js";
import { read } from "./api.js";
import { badge, copyable, errorBox, every, short } from "./parts.js";
import * as time from "./time.js";

const WORDS = {
  "key-made": "key made", allowed: "allowed", refused: "refused", signed: "signed", aborted: "aborted",
  "refresh-allowed": "refresh allowed", "share-refreshed": "share refreshed", "trial-allowed": "trial allowed", "shares-tried": "shares tried", "shares-retired": "shares retired",
};

const INTENTS = {
  PersonalMessage: (one) => `a message of ${one.messageBytes} bytes`,
  AsterLogin: () => "a login to Aster",
  AsterRegisterAgent: (one) => `Aster: approve agent ${one.agentName}`,
  AsterDeleteAgent: () => "Aster: remove an agent",
  HyperliquidApproveAgent: (one) => `Hyperliquid: approve agent ${one.agentName}`,
  HyperliquidRevokeAgent: (one) => `Hyperliquid: remove agent ${one.agentName}`,
};

const what = (one) => (one.intent ? INTENTS[one.intent]?.(one) ?? one.intent : "");

/** Decisions as a list, the newest first. */
export function list(decisions, { withWallet }) {
  if (decisions.length === 0) return h("p", { class: "empty" }, "None yet.");
  return h("ol", { class: "feed" }, decisions.map((one) => h("li", { class: one.refused ? "refused" : null },
    h("time", { class: "at", datetime: new Date(one.at).toISOString(), title: time.date(one.at) }, time.clock(one.at)),
    badge(WORDS[one.decision] ?? one.decision, one.refused ? "bad" : one.decision),
    h("div", { class: "what" },
      h("div", null, what(one), one.agentAddress && [" ", copyable(one.agentAddress, "agent address", short(one.agentAddress))],
        one.validUntil && h("span", { class: "dim" }, ` until ${time.date(one.validUntil)}`)),
      one.reason && h("div", { class: "reason" }, one.reason),
      h("div", { class: "fine" },
        withWallet && [h("a", { href: `#/wallets/${one.walletId}` }, `wallet ${one.walletId.slice(0, 8)}`), " · "],
        `record ${one.seq} · shares ${one.keyVersion} · ${one.caller} · policy ${one.policy} · request ${short(one.requestId)} · hash ${one.hash.slice(0, 10)}`)))));
}

export function show(main, { signal }) {
  const feed = h("div", null), count = h("p", { class: "dim" });
  const refusals = h("input", { type: "checkbox", id: "refusals", onchange: () => draw() });
  const paused = h("input", { type: "checkbox", id: "paused" });
  let decisions = [], last = "", known = null;
  fill(main,
    h("div", { class: "heading" }, h("h1", null, "Decisions of the cosigner"), h("span", { class: "live", id: "live" }, "live")),
    h("p", null, "What it was asked to sign, and what it said, from its audit log: the last 200 of yesterday and today. A wallet's page has all of its own."),
    h("div", { class: "filters" }, h("label", { for: "refusals" }, refusals, " Refusals alone"), h("label", { for: "paused" }, paused, " Stop the feed"), count),
    feed);

  const draw = () => {
    const shown = refusals.checked ? decisions.filter((one) => one.refused) : decisions;
    const refused = decisions.filter((one) => one.refused).length;
    count.textContent = `${decisions.length} decisions, ${refused} refused`;
    fill(feed, list(shown, { withWallet: true }));
  };
  return every(2_500, signal, async () => {
    const live = document.getElementById("live");
    live?.classList.toggle("off", paused.checked);
    if (paused.checked) return;
    try {
      ({ decisions } = await read("decisions", null, signal));
      const now = decisions.map((one) => one.walletId + one.seq).join();
      if (now === last) return;
      last = now;
      draw();
      const refused = new Set(decisions.filter((one) => one.refused).map((one) => one.walletId + one.seq));
      const news = known && [...refused].filter((one) => !known.has(one)).length;
      if (news) say(news === 1 ? "The cosigner has refused something" : `The cosigner has refused ${news} times`);
      known = refused;
    } catch (error) {
      if (error.name === "AbortError") return;
      last = "";
      fill(feed, errorBox(error));
    }
  });
}
