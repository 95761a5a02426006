// The payment policy: approvers, limits, destinations, and pending changes with their countdown. Approvers sign with
// WebAuthn or with `hyperdex policy`; this page never holds a key.

import { fill, h, say } from "./dom.js";
import { Refused, call } from "./api.js";
import { badge, copyable, countdown, errorBox, every, facts, short, stamp } from "./parts.js";
import { arrange, field, values } from "./operation.js";
import * as approver from "./approver.js";
import * as paid from "./paid.js";
import * as time from "./time.js";

const STATES = { approving: "pending", waiting: "pending", active: "active", cancelled: "gone", expired: "gone" };
const NAMES = {
  setAuthority: "Replace the approvers", addDestination: "Add a destination", removeDestination: "Remove a destination",
  setLimit: "Set limits", removeLimit: "Remove limits", setDelay: "Set the delay", freeze: "Stop payments",
  unfreeze: "Allow payments", exportWallet: "Export a wallet's key", cancel: "Cancel a change", resume: "Resume payments",
};

export function show(main, { signal, about }) {
  const only = about?.readOnly === true;
  const body = h("div", null);
  let policy;
  const payment = h("button", { type: "button", disabled: true, onclick: () => approvePayment(policy, about?.tenant) }, "Approve a payment");
  fill(main, h("div", { class: "heading" }, h("h1", null, "Payments"), !only && h("span", { class: "actions" },
    payment,
    h("button", { type: "button", onclick: enrol }, "Make a WebAuthn key"))),
    h("p", null, "The payment policy decides where money may go. Only changes that approvers sign alter it; the cosigner verifies each signature."), body, paid.section(signal));
  if (only) {
    return fill(body, h("p", { class: "empty" }, "A console over a deployment does not read the payment policy. Use `hyperdex policy show`."));
  }
  let last = "";
  const load = async () => {
    try {
      const { body: answer } = await call({ method: "GET", path: "/api/policy" }, signal);
      const said = JSON.stringify(answer.data);
      if (said === last) return;
      last = said;
      policy = answer.data;
      payment.disabled = false;
      fill(body, draw(answer.data, about?.tenant, load));
    } catch (error) {
      if (error.name === "AbortError") return;
      last = "";
      fill(body, errorBox(error));
    }
  };
  return every(5_000, signal, load);
}

function section(id, title, ...content) {
  return h("section", { class: "part", "aria-labelledby": id }, h("div", { class: "heading" }, h("h2", { id }, title)), content);
}

function table(name, heads, rows, none) {
  if (rows.length === 0) return h("p", { class: "empty small" }, none);
  return h("div", { class: "table" }, h("table", null, h("caption", { class: "hidden" }, name),
    h("thead", null, h("tr", null, heads.map((head) => h("th", { scope: "col" }, head)))),
    h("tbody", null, rows.map((cells) => h("tr", null, cells.map((cell, at) => (at === 0 ? h("th", { scope: "row" }, cell) : h("td", { "data-label": heads[at] }, cell))))))));
}

function draw(policy, tenant, load) {
  const allowed = !policy.paymentsOn ? badge("off", "bad") : policy.frozen ? badge("frozen", "bad") : badge("allowed within the limits", "active");
  return [
    section("pending-changes", "Pending changes", policy.pending.length === 0
      ? h("p", { class: "empty small" }, "No pending changes.")
      : policy.pending.map((change) => pending(policy, tenant, change, load))),
    section("payment-state", "State", facts(
      ["Payments", allowed, !policy.paymentsOn && " The operator's approvers must resume them after a restore."],
      ["Delay", time.span(policy.delaySeconds * 1_000), " for each change that loosens the policy"],
      ["Chain", copyable(policy.chainId, "chain's id", short(policy.chainId))],
      ["Last change", String(policy.sequence), " ", copyable(policy.headHash, "hash", short(policy.headHash))])),
    section("approvers", "Approvers", authority("Tenant", policy.authority, "This tenant has no approvers, so nothing is paid. The operator sets the first ones."),
      policy.rootAuthority && authority("Operator", policy.rootAuthority)),
    section("payment-limits", "Limits of 24 hours", table("Limits", ["Asset", "Each wallet", "All wallets", "Approvals above"],
      policy.limits.map(({ asset, wallet, tenant: all, approveAbove }) => [asset, cap(wallet), cap(all), approveAbove ?? "never"]), "No limits: nothing is paid.")),
    section("destinations", "Destinations", table("Destinations", ["Label", "Venue", "Address", "Assets", "Each payment", "Usable"],
      policy.destinations.map((to) => [to.label || "no label", to.venue, copyable(to.address, "address", short(to.address)), to.assets.join(", "), to.perPayment ?? "the limits", usable(to)]), "No destinations.")),
  ];
}

const cap = ({ amount, payments }) => `${amount} in ${payments} payments`;
const usable = ({ activeFrom }) => (activeFrom > time.now() ? countdown(activeFrom, "now") : badge("yes", "active"));

function authority(name, of, none) {
  if (!of) return h("p", { class: "empty small" }, none);
  return [h("p", null, h("strong", null, `${name}: `), `${of.threshold} of ${of.approvers.length} must sign.`),
    table(`Approvers of the ${name.toLowerCase()}`, ["Approver", "Kind", "Public key"], of.approvers.map(({ id, publicKey, webauthn }) =>
      [id, webauthn ? `WebAuthn on ${webauthn.origin}` : "file or KMS key", copyable(publicKey, "public key", short(publicKey))]))];
}

/** A pending change: what it does, who signed it, and when it takes effect. */
function pending(policy, tenant, change, load) {
  const { sequence, state, approvals, threshold, notAfter, effectiveAt } = change;
  return h("div", { class: "once", role: "status", "data-change": sequence },
    h("p", null, h("strong", null, `Change ${sequence}: ${NAMES[change.change.type] ?? change.change.type}. `), badge(state, STATES[state])),
    h("pre", { tabindex: 0, "aria-label": `Content of change ${sequence}` }, approver.canonical(change.change)),
    facts(
      ["Signed by", approvals.map(({ approver: id }) => id).join(", ") || "nobody", ` (${approvals.length} of ${threshold}, ${change.quorum})`],
      state === "waiting" ? ["Takes effect", countdown(effectiveAt, "now"), ", at ", stamp(effectiveAt)] : ["Approvals count until", stamp(notAfter * 1_000)]),
    h("p", { class: "actions" },
      state === "approving" && h("button", { type: "button", "data-does": `approve-${sequence}`, onclick: () => approve(policy, tenant, change, load) }, "Approve"), " ",
      h("button", { type: "button", class: "danger-quiet", "data-does": `cancel-${sequence}`, onclick: () => cancel(policy, tenant, change, load) }, "Cancel the change")));
}

const of = (policy, change) => (change.quorum === "root" ? policy.rootAuthority : policy.authority);

/** The values of a change, each with its place. A list of texts is one value. */
function leaves(value, place = []) {
  const isList = Array.isArray(value) && value.every((one) => typeof one === "string");
  if (value === null || typeof value !== "object" || isList) return [{ place, value, isList }];
  return Object.entries(value).flatMap(([name, one]) => leaves(one, [...place, name]));
}

/** Returns a change with typed values in place of those of the service. */
function typed(shape, texts) {
  const change = structuredClone(shape);
  leaves(shape).forEach(({ place, value, isList }, at) => {
    const text = texts[at].trim();
    const last = place.at(-1);
    const holder = place.slice(0, -1).reduce((of_, name) => of_[name], change);
    holder[last] = isList ? text.split(",").map((one) => one.trim()) : typeof value === "number" ? Number(text) : text;
  });
  return change;
}

/**
 * An approver types the values of the change: the page signs what the approver typed, not what the service returned.
 * The names of the fields come from the service.
 */
function approve(policy, tenant, pending_, done) {
  const inputs = leaves(pending_.change).map(({ place, isList }) => ({ place, isList, input: place.at(-1) === "type" && place.length === 1
    ? h("select", { id: `typed-${place.join("-")}` }, h("option", { value: "" }, "choose"), Object.entries(NAMES).map(([name, text]) => h("option", { value: name }, text)))
    : h("input", { id: `typed-${place.join("-")}`, type: "text", autocomplete: "off", spellcheck: "false", autocapitalize: "off", required: true }) }));
  const fields = inputs.map(({ place, isList, input }) => h("div", { class: "field" },
    h("label", { for: input.id }, place.join(" "), isList && h("span", { class: "dim" }, " (separated by commas)")), input));
  ask({
    title: `Approve change ${pending_.sequence}`, authority: of(policy, pending_), danger: false, done, fields,
    text: () => {
      const change = typed(pending_.change, inputs.map(({ input }) => input.value));
      const isSame = approver.canonical(change) === approver.canonical(pending_.change);
      return { text: approver.changeText({ chainId: policy.chainId, tenant, ...pending_, change }), fault: !isSame && "the pending change is not the one that you typed." };
    },
    command: `hyperdex policy approve ${pending_.sequence} …`,
    send: submit(({ approver: id, signature }) => ({ method: "POST", path: `/api/policy/changes/${pending_.sequence}/approvals`, body: { approver: id, signature } })),
  });
}

function cancel(policy, tenant, { sequence, quorum }, done) {
  const change = { type: "cancel", seq: sequence };
  const terms = { sequence: policy.sequence + 1, previousHash: policy.headHash, notAfter: Math.floor(time.now() / 1_000) + 3_600 };
  const text = approver.changeText({ chainId: policy.chainId, tenant, change, ...terms });
  ask({
    title: `Cancel change ${sequence}`, text: () => ({ text }), authority: of(policy, { quorum }), danger: true, done,
    command: `hyperdex policy cancel ${sequence}`,
    send: submit((approval) => ({ method: "DELETE", path: `/api/policy/changes/${sequence}`, body: { ...terms, quorum, approvals: [approval] } })),
  });
}

/** Returns a function that sends an approval of a change, and returns the result's content. */
const submit = (request) => async (approval) => {
  const { body } = await call(request(approval));
  return h("p", null, h("strong", null, "Done. "), `The change ${body.data.sequence} is ${body.data.state}.`);
};

/**
 * An approver types a payment: the page signs what the approver typed. From the service come only the approvers, and the
 * chain and the tenant to compare with the typed ones. The approval is not sent: the caller of the payment needs it.
 */
function approvePayment(policy, tenant) {
  const shape = approver.paymentFields(), fields = shape.map(field);
  ask({
    title: "Approve a payment", authority: policy.authority, danger: false, fields: fields.map(({ row }) => row), label: "Sign",
    text() {
      arrange(fields);
      fields.forEach(({ row, inputs: [input], value }, at) => input.setCustomValidity(row.hidden ? "" : complaint(shape[at], value())));
      const wrong = fields.filter(({ inputs: [input] }) => input.validationMessage !== "");
      if (wrong.length > 0) {
        const named = wrong.find(({ value }) => value() !== "");
        return { text: `Complete the fields to see the text.${named ? `\n${named.inputs[0].validationMessage}` : ""}` };
      }
      const { text, chainId, tenant: own, notAfter } = approver.paymentText(values(fields));
      const fault = chainId !== policy.chainId ? "this stack has another policy chain than the one that you typed."
        : own !== tenant ? "this page belongs to another tenant than the one that you typed."
        : Number(notAfter) * 1_000 <= time.now() && "the time until which the approval counts is in the past.";
      return { text, fault };
    },
    command: "hyperdex policy approve-payment WALLET_ID PAYMENT_ID --payment payment.json --not-after SECONDS …",
    send: async (approval) => [h("p", null, h("strong", null, "Signed. "), "Nothing was sent. The caller sends the payment again with this entry in `approvals`:"),
      copyable(JSON.stringify(approval), "approval")],
  });
}

/** Returns the fault of a typed value, or an empty text. */
function complaint({ label, read }, value) {
  try {
    read(value.trim());
    return "";
  } catch (error) {
    return `${label}: ${error.message}`;
  }
}

/**
 * A dialog that shows a text, and signs it with WebAuthn. `text()` returns the text of the typed values, and a fault that
 * prevents the signature. `send(approval)` returns the content of the result.
 */
function ask({ title, text, authority: of_, command, send, label = "Sign and send", danger, done, fields = [] }) {
  const keys = approver.usable(of_), isTyped = fields.length > 0 && keys.length > 0;
  const result = h("div", { class: "result" });
  const close = h("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, "Close");
  const signer = h("select", { id: "signer" }, keys.map(({ id }) => h("option", { value: id }, id)));
  const sign = h("button", { type: "submit", class: danger ? "danger" : "primary" }, label);
  const shown = h("pre", { class: "whole", tabindex: 0, "aria-label": "Text to sign" });
  const show = () => { shown.textContent = text().text; };
  const unsigned = (reason) => fill(result, h("p", { class: "error", role: "alert" }, `Nothing was signed: ${reason}`));
  let sent = false;
  const form = h("form", {
    oninput: show,
    async onsubmit(event) {
      event.preventDefault();
      const made = text();
      if (made.fault) return unsigned(made.fault);
      sign.disabled = true;
      fill(result);
      try {
        const approval = await approver.sign(keys.find(({ id }) => id === signer.value), made.text);
        const content = await send(approval);
        sent = true;
        shown.textContent = made.text;
        sign.remove();
        for (const input of form.querySelectorAll("input, select")) input.disabled = true;
        fill(result, h("div", { class: "success" }, content));
        say(`${title}: done`);
        close.focus();
      } catch (error) {
        sign.disabled = false;
        if (error instanceof Refused) fill(result, errorBox(error));
        else unsigned(error.message);
      }
    },
  },
  h("header", null, h("h2", { id: "sign-title" }, title)),
  isTyped && [h("p", null, "Type the values that you approve. The page signs what you type."), h("div", { class: fields.length > 4 ? "fields wide" : "fields" }, fields)],
  (isTyped || fields.length === 0) && [h("p", null, "The approver signs exactly these seven lines:"), shown],
  keys.length > 0
    ? h("div", { class: "field" }, h("label", { for: "signer" }, "Approver"), signer)
    : h("p", null, `No approver of this authority has a WebAuthn key for ${location.origin}. Sign with a file or KMS key instead:`, h("pre", { tabindex: 0, "aria-label": "Command" }, command)),
  result,
  h("footer", null, close, keys.length > 0 && sign));
  const dialog = h("dialog", { class: "operation", "aria-labelledby": "sign-title", onclose() { dialog.remove(); if (sent) done?.(); } }, form);
  document.body.append(dialog);
  show();
  dialog.showModal();
}

/** Makes a WebAuthn key, and shows the entry of its approver. */
function enrol() {
  const name = h("input", { id: "approver-id", type: "text", required: true, pattern: "[a-z0-9\\-]{1,32}", autocomplete: "off", spellcheck: "false" });
  const result = h("div", { class: "result" });
  const form = h("form", {
    async onsubmit(event) {
      event.preventDefault();
      try {
        const entry = JSON.stringify(await approver.enrol(name.value));
        fill(result, h("div", { class: "success" }, h("p", null, "Add this entry to the authority with `hyperdex policy propose set-authority`:"), copyable(entry, "approver's entry")));
      } catch (error) {
        fill(result, h("p", { class: "error", role: "alert" }, `No key was made: ${error.message}`));
      }
    },
  },
  h("header", null, h("h2", { id: "enrol-title" }, "Make a WebAuthn key")),
  h("p", null, "The key is made in your authenticator and never leaves it. It works on this page's address only. A browser allows this on localhost or over HTTPS, not on an IP address."),
  h("div", { class: "field" }, h("label", { for: "approver-id" }, "Approver's id"), name, h("p", { class: "fine" }, "1 to 32 characters of a-z 0-9 -")),
  result,
  h("footer", null, h("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, "Close"), h("button", { type: "submit", class: "primary" }, "Make the key")));
  const dialog = h("dialog", { class: "operation", "aria-labelledby": "enrol-title", onclose: () => dialog.remove() }, form);
  document.body.append(dialog);
  dialog.showModal();
}

