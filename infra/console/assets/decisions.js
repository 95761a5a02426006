// The feed of the cosigner's decisions.

import { fill, h, say } from "./dom.js";
import { read } from "./api.js";
import { verification } from "./audit.js";
import { badge, copyable, errorBox, every, short, stamp } from "./parts.js";

const WORDS = {
  "key-made": "key made", allowed: "allowed, not signed", refused: "refused", signed: "signed", aborted: "aborted",
  "refresh-allowed": "refresh allowed", "share-refreshed": "share refreshed", "trial-allowed": "trial allowed", "shares-tried": "shares tried", "shares-retired": "shares retired",
};

const INTENTS = {
  PersonalMessage: (one) => `a message of ${one.messageBytes} bytes`,
  AsterLogin: () => "a login to Aster",
  AsterRegisterAgent: (one) => `Aster: approve agent ${one.agentName}`,
  AsterDeleteAgent: () => "Aster: remove an agent",
  HyperliquidApproveAgent: (one) => `Hyperliquid: approve agent ${one.agentName}`,
  HyperliquidRevokeAgent: (one) => `Hyperliquid: remove agent ${one.agentName}`,
  AsterApproveBuilder: (one) => `Aster: approve a builder with a fee of up to ${one.maxFee}`,
  HyperliquidApproveBuilder: (one) => `Hyperliquid: approve a builder with a fee of up to ${one.maxFee}`,
};

const what = (one) => (one.intent ? INTENTS[one.intent]?.(one) ?? one.intent : "");

/** Merges the two records of each signing run (allowed, then signed or aborted) into one row, newest first. */
export function rows(decisions) {
  const run = (one) => `${one.walletId} ${one.run}`;
  const begun = new Map(decisions.filter((one) => one.decision === "allowed").map((one) => [run(one), one]));
  const ends = (one) => one.decision === "signed" || one.decision === "aborted";
  const ended = new Set(decisions.filter(ends).map(run));
  return decisions.filter((one) => one.decision !== "allowed" || !ended.has(run(one))).map((one) => {
    const first = ends(one) ? begun.get(run(one)) : undefined;
    if (!first) return { ...one, records: `record ${one.seq}` };
    const { intent, agentAddress, agentName, validUntil, builderAddress, maxFee, messageBytes } = first;
    return { ...one, intent, agentAddress, agentName, validUntil, builderAddress, maxFee, messageBytes, records: `records ${first.seq} and ${one.seq}` };
  });
}

/** A list of decisions, newest first. */
export function list(decisions, { withWallet }) {
  if (decisions.length === 0) return h("p", { class: "empty" }, "No decisions yet.");
  return h("ol", { class: "feed" }, decisions.map((one) => h("li", { class: one.refused ? "refused" : null },
    h("span", { class: "at" }, stamp(one.at)),
    badge(WORDS[one.decision] ?? one.decision, one.refused ? "bad" : one.decision),
    h("div", { class: "what" },
      h("div", null, withWallet && [h("a", { href: `#/wallets/${one.walletId}` }, one.userId ?? `wallet ${short(one.walletId)}`), what(one) && ": "],
        what(one), one.agentAddress && [" ", copyable(one.agentAddress, "agent address", short(one.agentAddress))],
        one.builderAddress && [" ", copyable(one.builderAddress, "builder address", short(one.builderAddress))],
        one.validUntil && h("span", { class: "dim" }, " until ", stamp(one.validUntil))),
      one.reason && h("div", { class: "reason" }, one.reason),
      h("div", { class: "fine" },
        `${one.records} · shares ${one.keyVersion} · ${one.caller} · policy ${one.policy} · request ${short(one.requestId)} · hash ${one.hash.slice(0, 10)}`)))));
}

export function show(main, { signal }) {
  const feed = h("div", null), trouble = h("div", null), count = h("p", { class: "dim" });
  const live = h("span", { class: "live", id: "live", role: "status" }, "live");
  const refusals = h("input", { type: "checkbox", id: "refusals", onchange: () => draw() });
  const paused = h("input", { type: "checkbox", id: "paused", onchange: () => mark(paused.checked ? "stopped" : "live") });
  const audit = verification(signal);
  let decisions = [], last = "", known = null;
  fill(main,
    h("div", { class: "heading" }, h("h1", null, "Cosigner decisions"), live),
    h("p", null, "The cosigner's decisions from its audit log: the latest 200 records of yesterday and today. A wallet's page shows all decisions about that wallet."),
    h("div", { class: "filters" }, h("label", { for: "refusals" }, refusals, " Refusals only"), h("label", { for: "paused" }, paused, " Stop the feed"), count, audit.button),
    audit.result,
    trouble, feed);

  const mark = (text) => {
    if (live.textContent !== text) live.textContent = text;
    live.className = `live ${text}`;
  };
  const draw = () => {
    const all = rows(decisions);
    const refused = all.filter((one) => one.refused);
    count.textContent = `${all.length} decisions, ${refused.length} refused`;
    fill(feed, list(refusals.checked ? refused : all, { withWallet: true }));
  };
  return every(2_500, signal, async () => {
    if (paused.checked) return;
    try {
      ({ decisions } = await read("decisions", null, signal));
      mark(paused.checked ? "stopped" : "live");
      fill(trouble);
      const now = decisions.map((one) => `${one.walletId}${one.seq}${one.userId}`).join();
      if (now === last) return;
      last = now;
      draw();
      const refused = new Set(decisions.filter((one) => one.refused).map((one) => one.walletId + one.seq));
      const news = known && [...refused].filter((one) => !known.has(one)).length;
      if (news) say(news === 1 ? "The cosigner refused a request" : `The cosigner refused ${news} requests`);
      known = refused;
    } catch (error) {
      if (error.name === "AbortError") return;
      mark("disconnected");
      fill(trouble, errorBox(error));
    }
  });
}
