// A dialog for one API call: its fields, the equivalent curl command, and the result.

import { append, fill, h, say } from "./dom.js";
import { call, curl, newIdempotencyKey } from "./api.js";
import { copy, copyable, countdown, errorBox, facts } from "./parts.js";
import * as time from "./time.js";

const DOTS = "•".repeat(24);
/** The methods that accept an Idempotency-Key. */
const REPLAYED = ["POST", "DELETE"];

/**
 * Opens the dialog. `operation` has a `title`, an `about`, `fields` (see `field`), `request(values)` which returns
 * the call, `send` (the button's label), `danger`, `remedy(error)` (additional content for an error), and
 * `done(answer)`, called when the dialog closes after a successful call.
 */
export function open(operation) {
  const fields = (operation.fields ?? []).map(field);
  let idempotencyKey = newIdempotencyKey();
  let answer, going = false;

  const request = () => {
    const made = operation.request(values(fields));
    return REPLAYED.includes(made.method) ? { ...made, idempotencyKey } : made;
  };
  const shell = h("pre", { class: "curl", tabindex: 0, "aria-label": "Equivalent curl command" });
  const result = h("div", { class: "result" });
  const send = h("button", { type: "submit", class: operation.danger ? "danger" : "primary" }, operation.send ?? "Send");
  const close = h("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, "Cancel");
  const show = () => {
    arrange(fields);
    shell.textContent = curl(request());
  };
  const copyCurl = h("button", { type: "button", class: "quiet", async onclick() {
    say(await copy(shell.textContent) ? "Copied the curl command" : "Cannot copy the curl command");
  } }, "Copy");

  const form = h("form", {
    oninput: () => { idempotencyKey = newIdempotencyKey(); show(); },
    async onsubmit(event) {
      event.preventDefault();
      if (going || answer) return;
      going = true;
      send.disabled = true;
      send.textContent = "Sending …";
      fill(result);
      try {
        answer = await call(request());
        fill(result, succeeded(operation, answer));
        say(`${operation.title}: done`);
        form.classList.add("sent");
        for (const { inputs } of fields) for (const input of inputs) input.disabled = true;
        send.remove();
        close.textContent = secretOf(answer) ? `I have saved the ${secretOf(answer).short}: close` : "Close";
        close.className = "primary";
        close.focus();
      } catch (error) {
        fill(result, failed(operation, error));
        // After a final error, use a new Idempotency-Key. Otherwise retry the same request.
        if (!error.mayRepeat) { idempotencyKey = newIdempotencyKey(); show(); }
        send.disabled = false;
        send.textContent = "Retry";
      } finally {
        going = false;
      }
    },
  },
  h("header", null, h("h2", { id: "operation-title" }, operation.title)),
  operation.about && h("p", null, operation.about),
  h("div", { class: fields.length > 4 ? "fields wide" : "fields" }, fields.map(({ row }) => row)),
  h("details", { open: true, class: "equal" }, h("summary", null, "Equivalent curl command"), h("div", { class: "shell" }, shell, copyCurl)),
  result,
  h("footer", null, close, send));

  const dialog = h("dialog", {
    class: "operation", "aria-labelledby": "operation-title",
    onclose() {
      dialog.remove();
      if (answer) operation.done?.(answer);
    },
    // Do not lose a key that is shown once to an accidental key press.
    oncancel(event) { if (going || (answer && secretOf(answer))) event.preventDefault(); },
  }, form);
  document.body.append(dialog);
  show();
  dialog.showModal();
  const shown = fields.filter(({ row }) => !row.hidden);
  (shown.find(({ inputs: [input] }) => input?.required && !input.value) ?? shown[0])?.inputs[0]?.focus();
}

/** Returns the values of a form's fields. A hidden field has an empty one. */
export function values(fields) {
  return Object.fromEntries(fields.map(({ name, value, row }) => [name, row.hidden ? "" : value()]));
}

/** Shows the fields that the values of the other fields require, and hides the rest. */
export function arrange(fields) {
  for (const { row, inputs, when } of fields) {
    row.hidden = when ? !when(values(fields)) : false;
    // A browser does not check a disabled field.
    for (const input of inputs) input.disabled = row.hidden;
  }
}

/**
 * A field: `{ name, label, value, help, kind, optional, when }`. `kind` is `text`, `long`, `yes` (a checkbox), `choice`
 * (one of `options`, pairs of a value and its text) or `many` (a list of `options`). `when(values)` hides the field.
 */
export function field({ name, label, value = "", help, kind = "text", optional = false, options = [], when }) {
  const id = `field-${name}`;
  const described = help ? `${id}-help` : undefined;
  const plain = { id, name, autocomplete: "off", spellcheck: "false", "aria-describedby": described };
  const note = help && h("p", { class: "fine", id: described }, help);
  if (kind === "many") {
    const inputs = options.map((option, at) => h("input", { type: "checkbox", id: `${id}-${at}`, name: option, checked: value.includes(option) }));
    const row = h("fieldset", { class: "field many", "aria-describedby": described }, h("legend", null, label),
      inputs.map((input, at) => h("label", { for: `${id}-${at}` }, input, " ", input.name)), note);
    return { name, when, row, inputs, value: () => inputs.filter((input) => input.checked).map((input) => input.name) };
  }
  const input = kind === "long" ? h("textarea", { ...plain, rows: 4, required: !optional })
    : kind === "yes" ? h("input", { ...plain, type: "checkbox", checked: value === true })
    : kind === "choice" ? h("select", plain, options.map(([one, text]) => h("option", { value: one }, text)))
    : h("input", { ...plain, type: "text", required: !optional, autocapitalize: "off" });
  if (kind !== "yes") input.value = value;
  const row = h("div", { class: `field ${kind}` }, h("label", { for: id }, label, optional && kind === "text" && h("span", { class: "dim" }, " (optional)")), input, note);
  return { name, when, row, inputs: [input], value: () => (kind === "yes" ? input.checked : input.value) };
}

/** Returns the secret of a response, if it has one: the only two of the contract. */
function secretOf({ body }) {
  if (body.data?.apiPrivateKey) {
    return { text: body.data.apiPrivateKey, short: "key", name: "The API wallet's private key", hidden: { ...body, data: { ...body.data, apiPrivateKey: "shown above" } } };
  }
  return body.secret ? { text: body.secret, short: "secret", name: "The webhook's secret, which signs its events", hidden: { ...body, secret: "shown above" } } : undefined;
}

function succeeded(operation, answer) {
  const secret = secretOf(answer);
  return h("div", { class: "success" },
    h("p", null, h("strong", null, `Done: HTTP ${answer.status}`), answer.replayed && " (replayed: the response of the first call)"),
    secret && once(secret),
    operation.facts && facts(...operation.facts(answer.body)),
    h("details", null, h("summary", null, "Full response"), h("pre", { tabindex: 0 }, JSON.stringify(secret?.hidden ?? answer.body, null, 2))),
    answer.requestId && h("p", { class: "fine" }, "request ", copyable(answer.requestId, "request id")));
}

/** A secret. It is shown in this dialog only, and not stored. */
function once({ text: secret, short, name }) {
  const text = h("code", { class: "secret", "data-secret": "hidden" }, DOTS);
  const show = h("button", { type: "button", class: "quiet", "aria-pressed": "false", onclick() {
    const hidden = text.textContent === DOTS;
    text.textContent = hidden ? secret : DOTS;
    text.dataset.secret = hidden ? "shown" : "hidden";
    show.textContent = hidden ? "Hide" : "Show";
    show.setAttribute("aria-pressed", String(hidden));
  } }, "Show");
  const note = h("span", { class: "fine" });
  const take = h("button", { type: "button", class: "quiet", async onclick() {
    const copied = await copy(secret);
    note.textContent = copied ? `Copied. The ${short} stays in the clipboard until you copy something else.` : `Cannot copy the ${short}: show it, then copy it manually.`;
    say(note.textContent);
  } }, `Copy ${short}`);
  return h("div", { class: "once" },
    h("p", null, h("strong", null, `${name}. `), "The console does not store it. The service returns it once, or again for ten minutes with the same Idempotency-Key."),
    h("div", { class: "secret-row" }, text, show, take), note);
}

function failed(operation, error) {
  if (!(error.status >= 0)) throw error;
  const box = errorBox(error, operation.remedy?.(error));
  if (error.retryAfter > 0) {
    const at = time.now() + error.retryAfter * 1_000;
    append(box, [h("p", null, "You can retry ", countdown(at, "now"), ".")]);
  }
  return box;
}
