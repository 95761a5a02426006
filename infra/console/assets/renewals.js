// The next steps of the renewal job.

import { fill, h } from "./dom.js";
import { read } from "./api.js";
import { EXCHANGES, copyable, countdown, errorBox, every, jobText, short, stamp } from "./parts.js";
import * as time from "./time.js";

export function show(main, { signal, about }) {
  const list = h("div", null);
  const days = about ? Math.round(about.renewWithinMs / 86_400_000) : 14;
  fill(main, h("div", { class: "heading" }, h("h1", null, "Renewals")),
    h("p", null, `The job renews each key at some time in the last ${days} days before its expiry, spread over the wallets. It also completes interrupted rotations and deletions. It processes due credentials in its next run.`), list);
  let last = "";
  return every(10_000, signal, async () => {
    try {
      const { due, more } = await read("schedule", null, signal);
      const said = JSON.stringify(due);
      if (said === last) return;
      last = said;
      if (due.length === 0) return fill(list, h("p", { class: "empty" }, "No renewals: there are no active credentials."));
      fill(list, h("div", { class: "table" }, h("table", null,
        h("caption", { class: "hidden" }, "Next steps of the renewal job"),
        h("thead", null, h("tr", null, ["User", "Exchange", "Next step", "From", "Expires", "Agent"].map((text) => h("th", { scope: "col" }, text)))),
        h("tbody", null, due.map((one) => h("tr", { class: one.job.at <= time.now() ? "due" : null },
          h("th", { scope: "row" }, h("a", { href: `#/wallets/${one.walletId}` }, one.userId)),
          h("td", { "data-label": "Exchange" }, EXCHANGES[one.exchange]),
          h("td", { "data-label": "Next step" }, jobText(one.job)),
          h("td", { "data-label": "From", class: "dim" }, stamp(one.job.at)),
          h("td", { "data-label": "Expires" }, one.job.does === "wait-for-caller" ? h("span", { class: "dim" }, "not approved yet") : countdown(one.expiresAt)),
          h("td", { "data-label": "Agent" }, copyable(one.agentAddress, "agent address", short(one.agentAddress)))))))),
      more && h("p", { class: "fine" }, "Only the earliest credentials are shown."));
    } catch (error) {
      if (error.name === "AbortError") return;
      last = "";
      fill(list, errorBox(error));
    }
  });
}
