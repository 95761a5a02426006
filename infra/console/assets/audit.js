// Verifies the cosigner's audit log of the tenant's wallets, some wallets at a time.

import { append, fill, h, say } from "./dom.js";
import { read } from "./api.js";
import { badge, errorBox, stamp } from "./parts.js";

/** Maximum number of faults that are listed. */
const SHOWN = 100;

/** A button that verifies the log, and the place of its result. */
export function verification(signal) {
  const result = h("div", { class: "verification" });
  let stop = null;
  const button = h("button", { type: "button", async onclick() {
    if (stop) return stop.abort();
    stop = new AbortController();
    button.textContent = "Stop the verification";
    try {
      await verify(result, AbortSignal.any([signal, stop.signal]));
    } finally {
      stop = null;
      button.textContent = "Verify the audit log";
    }
  } }, "Verify the audit log");
  return { button, result };
}

async function verify(result, signal) {
  const sum = { wallets: 0, records: 0, faults: [], seals: null };
  let cursor = null;
  try {
    do {
      const page = await read("audit", cursor && { cursor }, signal);
      sum.wallets += page.wallets;
      sum.records += page.records;
      sum.faults.push(...page.faults);
      sum.seals ??= page.seals;
      // A young wallet of a later page does not excuse an old one.
      if (page.seals.faults.length > sum.seals.faults.length) sum.seals = page.seals;
      sum.now = page.now;
      cursor = page.nextCursor;
      if (cursor) fill(result, h("p", null, `Verified ${sum.wallets} wallets, ${sum.records} records …`));
    } while (cursor);
    fill(result, verdict(sum));
    say(faultsOf(sum) === 0 ? (sum.seals.verified ? "The audit log is intact" : "The audit log's hashes are intact, and its seals are not verified") : `The audit log has ${faultsOf(sum)} faults`);
  } catch (error) {
    if (error.name !== "AbortError") return fill(result, errorBox(error));
    fill(result, h("p", null, `Stopped after ${sum.wallets} wallets, without a result.`));
    say("The verification was stopped");
  }
}

const faultsOf = ({ faults, seals }) => faults.length + seals.faults.length;

function verdict(sum) {
  const { wallets, records, faults, seals, now } = sum;
  const all = faultsOf(sum);
  // Only the seals show that nobody rewrote a whole chain.
  const [word, kind] = all > 0 ? ["damaged", "bad"] : seals.verified ? ["intact", "active"] : ["seals not verified", "pending"];
  const box = h("div", { class: all > 0 ? "error" : seals.verified ? "success" : null, role: all === 0 ? null : "alert" },
    h("p", null, badge(word, kind), " ",
      h("strong", null, `${wallets} wallets, ${records} records, ${all} fault${all === 1 ? "" : "s"}`), " at ", stamp(now)),
    h("p", { class: "fine" }, seals.verified
      ? [seals.count === 0 ? "No seal yet: the first one follows one day after the first record." : [`${seals.count} seals verified, the last one of `, stamp(seals.last), "."]]
      : "The seals were not verified: their public key is not known or not readable here, or there are too many of them. “hyperdex audit verify --public-key” verifies them."));
  append(box, [
    seals.faults.length > 0 && h("ul", null, seals.faults.map((fault) => h("li", null, `Seals: ${fault}`))),
    faults.length > 0 && h("ul", null, faults.slice(0, SHOWN).map((one) => h("li", null, h("a", { href: `#/wallets/${one.walletId}` }, one.userId), `: ${one.fault}`))),
    faults.length > SHOWN && h("p", { class: "fine" }, `${faults.length - SHOWN} further faults are not listed.`),
    all > 0 && h("p", null, "Someone has changed or removed records, or a restore is incomplete. See docs/security/audit.md."),
  ]);
  return box;
}
