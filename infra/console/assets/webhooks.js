// The tenant's webhooks: list, create, edit, delete, test, deliveries and replay.

import { fill, h } from "./dom.js";
import { Refused, call, read } from "./api.js";
import { badge, copyable, errorBox, every, facts, short, stamp } from "./parts.js";
import { open } from "./operation.js";

const path = (id, rest = "") => `/api/webhooks/${encodeURIComponent(id)}${rest}`;
/** The API gives these times as texts. */
const at = (text) => stamp(Date.parse(text));

/** The types of events, from the stack's own OpenAPI document. */
async function eventTypes(signal) {
  try {
    const { body } = await call({ method: "GET", path: "/api/openapi.json" }, signal);
    return body.components.schemas.EventTypeName.enum;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return [];
  }
}

export function show(main, context) {
  return context.id ? one(main, context) : all(main, context);
}

async function ask(only, signal) {
  const body = only ? await read("webhooks", null, signal) : (await call({ method: "GET", path: "/api/webhooks" }, signal)).body;
  return body.webhooks;
}

function state(webhook) {
  if (webhook.status === "disabled") return badge("disabled", "bad");
  return webhook.failingSince ? badge("failing", "bad") : badge("enabled", "active");
}

function all(main, { signal, about }) {
  const only = about?.readOnly === true;
  const list = h("div", null);
  let last = "", types = [];
  fill(main,
    h("div", { class: "heading" }, h("h1", null, "Webhooks"), !only && h("button", { type: "button", class: "primary", onclick: async () => { types = types.length ? types : await eventTypes(signal); create(types, load); } }, "Create a webhook")),
    h("p", null, "A webhook sends signed events about wallets, trading keys and orders to your URL. A tenant can have ten."), list);
  const load = async () => {
    try {
      const webhooks = await ask(only, signal);
      const said = JSON.stringify(webhooks);
      if (said === last) return;
      last = said;
      if (webhooks.length === 0) return fill(list, h("p", { class: "empty" }, only ? "This tenant has no webhooks." : "No webhooks yet. Create the first one with the button above or with curl."));
      fill(list, h("div", { class: "table" }, h("table", null, h("caption", { class: "hidden" }, "Webhooks"),
        h("thead", null, h("tr", null, ["URL", "State", "Events", "Last delivery", "Last failure"].map((text) => h("th", { scope: "col" }, text)))),
        h("tbody", null, webhooks.map((webhook) => h("tr", null,
          h("th", { scope: "row" }, only ? webhook.url : h("a", { href: `#/webhooks/${webhook.webhookId}` }, webhook.url), webhook.description && h("div", { class: "fine" }, webhook.description)),
          h("td", { "data-label": "State" }, state(webhook)),
          h("td", { "data-label": "Events" }, h("span", { class: "stamp" }, `${webhook.events.length} type${webhook.events.length === 1 ? "" : "s"}`)),
          h("td", { "data-label": "Last delivery" }, webhook.lastDeliveredAt ? at(webhook.lastDeliveredAt) : h("span", { class: "dim" }, "none")),
          h("td", { "data-label": "Last failure" }, failure(webhook.lastFailure))))))));
    } catch (error) {
      if (error.name === "AbortError") return;
      last = "";
      fill(list, errorBox(error));
    }
  };
  return every(5_000, signal, load);
}

function failure(failed) {
  if (!failed) return h("span", { class: "dim" }, "none");
  return [failed.status ? `HTTP ${failed.status}` : failed.reason, ", ", at(failed.at)];
}

async function one(main, { signal, id }) {
  const crumbs = h("p", { class: "crumbs" }, h("a", { href: "#/webhooks" }, "Webhooks"));
  const head = h("div", null), sent = h("section", { "aria-labelledby": "deliveries" });
  fill(main, crumbs, h("div", { class: "heading" }, h("h1", null, "Webhook")), head, sent);
  const types = await eventTypes(signal).catch(() => []);
  let last = "";
  const load = async () => {
    try {
      const webhook = (await ask(false, signal)).find((one) => one.webhookId === id);
      if (!webhook) throw new Refused(404, { error: "Webhook not found", code: "WEBHOOK_NOT_FOUND" });
      const said = JSON.stringify(webhook);
      if (said === last) return;
      last = said;
      const focused = head.contains(document.activeElement) && document.activeElement.dataset.does;
      fill(head, details(webhook, types, load));
      if (focused) head.querySelector(`[data-does="${focused}"]`)?.focus();
    } catch (error) {
      if (error.name === "AbortError") return;
      last = "";
      fill(head, errorBox(error));
    }
  };
  const latest = deliveries(sent, id, signal);
  return every(3_000, signal, () => Promise.all([load(), latest()]));
}

function details(webhook, types, load) {
  const button = (does, text, onclick, kind) => h("button", { type: "button", class: kind, "data-does": does, onclick }, text);
  return [
    facts(
      ["URL", copyable(webhook.url, "URL")],
      webhook.description && ["Description", webhook.description],
      ["webhookId", copyable(webhook.webhookId, "webhookId")],
      ["State", state(webhook), webhook.failingSince && [" since ", at(webhook.failingSince)]],
      ["Events", webhook.events.join(", ")],
      ["Created", at(webhook.createdAt)],
      ["Last delivery", webhook.lastDeliveredAt ? at(webhook.lastDeliveredAt) : "none"],
      ["Last failure", failure(webhook.lastFailure)]),
    h("p", { class: "actions" },
      button("test", "Send a test event", () => test(webhook, load)), " ", button("edit", "Edit", () => edit(webhook, types, load)), " ",
      button("replay", "Replay events", () => replay(webhook)), " ", button("delete", "Delete", () => remove(webhook), "danger-quiet")),
  ];
}

/** The latest deliveries, in pages. Returns a function that reads the first page again, until the reader opens further ones. */
function deliveries(section, id, signal) {
  let rows = [], last = "", opened = false;
  const page = async (cursor) => {
    try {
      const { body } = await call({ method: "GET", path: path(id, `/deliveries${cursor ? `?${new URLSearchParams({ cursor })}` : ""}`) }, signal);
      rows = cursor ? [...rows, ...body.deliveries] : body.deliveries;
      const said = JSON.stringify([rows, body.nextCursor]);
      if (said === last) return;
      last = said;
      const focused = section.contains(document.activeElement) && document.activeElement.getAttribute("aria-label");
      fill(section, h("h2", { id: "deliveries" }, "Deliveries"),
        h("p", { class: "fine" }, "The newest events of this webhook first. A failed delivery is retried for two days."),
        rows.length === 0 ? h("p", { class: "empty small" }, "No deliveries yet.") : h("ol", { class: "feed" }, rows.map(delivery)),
        body.nextCursor && h("p", null, h("button", { type: "button", "aria-label": "Earlier deliveries", onclick: () => { opened = true; page(body.nextCursor); } }, "Earlier deliveries")));
      if (focused) section.querySelector(`[aria-label="${CSS.escape(focused)}"]`)?.focus();
    } catch (error) {
      if (error.name === "AbortError") return;
      last = "";
      fill(section, h("h2", { id: "deliveries" }, "Deliveries"), errorBox(error));
    }
  };
  return async () => { if (!opened) await page(); };
}

const RESULTS = { DELIVERED: ["delivered", "active"], RETRYING: ["will be retried", "pending"], GIVEN_UP: ["given up", "bad"], DISABLED: ["webhook disabled", "bad"] };

function delivery(one) {
  const [text, kind] = RESULTS[one.state] ?? [one.state, "dim"];
  return h("li", { class: kind === "bad" ? "refused" : null },
    h("span", { class: "at" }, one.lastAttemptAt ? at(one.lastAttemptAt) : "no attempt"),
    badge(text, kind),
    h("div", { class: "what" }, h("div", null, h("code", null, one.type), one.httpStatus !== undefined && ` HTTP ${one.httpStatus}`, one.reason && `, ${one.reason}`),
      h("div", { class: "fine" }, `${one.attempts} attempt${one.attempts === 1 ? "" : "s"} · event `, copyable(one.eventId, "eventId", short(one.eventId)))));
}

const described = (text) => (text.trim() ? { description: text.trim() } : {});
const EVENTS = "Select the types of events.";

function create(types, done) {
  open({
    title: "Create a webhook",
    about: "The response contains the secret that signs the events, once, or again for ten minutes with the same Idempotency-Key.",
    fields: [
      { name: "url", label: "URL", help: "https, port 443, at a public address. A local stack also accepts http:// on loopback." },
      { name: "events", label: "Events", kind: "many", value: types, options: types, help: EVENTS },
      { name: "description", label: "Description", optional: true },
    ],
    send: "Create",
    request: ({ url, events, description }) => ({ method: "POST", path: "/api/webhooks", body: { url: url.trim(), ...(events.length === types.length ? {} : { events }), ...described(description) } }),
    facts: ({ webhook }) => [["webhookId", copyable(webhook.webhookId, "webhookId")], ["URL", webhook.url]],
    done,
  });
}

function edit(webhook, types, done) {
  const disabled = webhook.status === "disabled";
  open({
    title: "Edit the webhook",
    about: "The secret stays the same. To change it, create a second webhook and delete this one.",
    fields: [
      { name: "url", label: "URL", value: webhook.url },
      { name: "events", label: "Events", kind: "many", value: webhook.events, options: types.length ? types : webhook.events, help: EVENTS },
      { name: "description", label: "Description", value: webhook.description ?? "", optional: true },
      { name: "enabled", label: disabled ? "Enable the webhook again" : "Send events to this webhook", kind: "yes", value: true },
    ],
    send: "Save",
    request: ({ url, events, description, enabled }) => ({
      method: "PUT", path: path(webhook.webhookId),
      body: { url: url.trim(), events, description: description.trim(), ...(enabled === disabled && { enabled }) },
    }),
    facts: ({ webhook: saved }) => [["URL", saved.url], ["State", state(saved)], ["Events", saved.events.join(", ")]],
    done,
  });
}

function test(webhook, done) {
  open({
    title: "Send a test event",
    about: "Sends one signed event to this webhook only. The deliveries below show the result.",
    send: "Send",
    request: () => ({ method: "POST", path: path(webhook.webhookId, "/test"), body: {} }),
    facts: ({ eventId }) => [["eventId", copyable(eventId, "eventId")]],
    done,
  });
}

function replay(webhook) {
  open({
    title: "Replay events",
    about: "Sends stored events again, with the same ids. Name one event, or a period of at most 30 days. One call reads 100 events.",
    fields: [
      { name: "eventId", label: "eventId", optional: true },
      { name: "from", label: "From", optional: true, help: "For example 2026-11-20T00:00:00Z.", when: ({ eventId }) => !eventId?.trim() },
      { name: "to", label: "To", optional: true, when: ({ eventId }) => !eventId?.trim() },
      { name: "cursor", label: "cursor", optional: true, help: "The nextCursor of the previous call.", when: ({ eventId }) => !eventId?.trim() },
    ],
    send: "Replay",
    request: (values) => ({ method: "POST", path: path(webhook.webhookId, "/replay"), body: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value.trim()]).filter(([, value]) => value)) }),
    facts: (body) => [["Queued", String(body.queued)], body.nextCursor && ["nextCursor", copyable(body.nextCursor, "nextCursor", short(body.nextCursor))]],
  });
}

function remove(webhook) {
  open({
    title: "Delete the webhook",
    about: `${webhook.url}. Queued deliveries are dropped. You cannot undo this.`,
    send: "Delete", danger: true,
    request: () => ({ method: "DELETE", path: path(webhook.webhookId) }),
    done: () => { location.hash = "#/webhooks"; },
  });
}
