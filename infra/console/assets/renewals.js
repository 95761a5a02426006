// What the renewal job works on next.

import { fill, h } from "./dom.js";
import { read } from "./api.js";
import { EXCHANGES, copyable, countdown, errorBox, every, jobText, short, stamp } from "./parts.js";
import * as time from "./time.js";

export function show(main, { signal, about }) {
  const list = h("div", null);
  const days = about ? Math.round(about.renewWithinMs / 86_400_000) : 14;
  fill(main, h("div", { class: "heading" }, h("h1", null, "Renewals")),
    h("p", null, `The job renews a key in the ${days} days before its expiry, each wallet's at a time of its own, and finishes rotations and deletions that were not finished. The job's next run does what is due.`), list);
  let last = "";
  return every(10_000, signal, async () => {
    try {
      const { due, more } = await read("schedule", null, signal);
      const said = JSON.stringify(due);
      if (said === last) return;
      last = said;
      if (due.length === 0) return fill(list, h("p", { class: "empty" }, "Nothing is to be renewed: no credential is active."));
      fill(list, h("div", { class: "table" }, h("table", null,
        h("caption", { class: "hidden" }, "The renewal job's next work"),
        h("thead", null, h("tr", null, ["User", "Exchange", "Next work", "From", "Expires", "Agent"].map((text) => h("th", { scope: "col" }, text)))),
        h("tbody", null, due.map((one) => h("tr", { class: one.job.at <= time.now() ? "due" : null },
          h("th", { scope: "row" }, h("a", { href: `#/wallets/${one.walletId}` }, one.userId)),
          h("td", { "data-label": "Exchange" }, EXCHANGES[one.exchange]),
          h("td", { "data-label": "Next work" }, jobText(one.job)),
          h("td", { "data-label": "From", class: "dim" }, stamp(one.job.at)),
          h("td", { "data-label": "Expires" }, one.job.does === "wait-for-caller" ? h("span", { class: "dim" }, "not approved yet") : countdown(one.expiresAt)),
          h("td", { "data-label": "Agent" }, copyable(one.agentAddress, "agent address", short(one.agentAddress)))))))),
      more && h("p", { class: "fine" }, "There are more; these are due first."));
    } catch (error) {
      if (error.name === "AbortError") return;
      last = "";
      fill(list, errorBox(error));
    }
  });
}
