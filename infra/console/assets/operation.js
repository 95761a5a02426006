// A dialog for one API call: its fields, the equivalent curl command, and the result.

import { append, fill, h, say } from "./dom.js";
import { call, curl, newIdempotencyKey } from "./api.js";
import { copy, copyable, countdown, errorBox, facts } from "./parts.js";
import * as time from "./time.js";

const DOTS = "•".repeat(24);

/**
 * Opens the dialog. `operation` has a `title`, an `about`, `fields` (`{ name, label, value, help, kind }`),
 * `request(values)` which returns the call, `send` (the button's label), `danger`, `remedy(error)`
 * (additional content for an error), and `done(answer)`, called when the dialog closes after a
 * successful call.
 */
export function open(operation) {
  const fields = (operation.fields ?? []).map(field);
  let idempotencyKey = newIdempotencyKey();
  let answer, going = false;

  const values = () => Object.fromEntries(fields.map(({ name, input }) => [name, input.type === "checkbox" ? input.checked : input.value]));
  const request = () => {
    const made = operation.request(values());
    return made.method === "GET" ? made : { ...made, idempotencyKey };
  };
  const shell = h("pre", { class: "curl", tabindex: 0, "aria-label": "Equivalent curl command" });
  const result = h("div", { class: "result" });
  const send = h("button", { type: "submit", class: operation.danger ? "danger" : "primary" }, operation.send ?? "Send");
  const close = h("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, "Cancel");
  const show = () => { shell.textContent = curl(request()); };
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
        for (const { input } of fields) input.disabled = true;
        send.remove();
        close.textContent = privateKey(answer) ? "I have saved the key: close" : "Close";
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
  fields.map(({ row }) => row),
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
    oncancel(event) { if (going || (answer && privateKey(answer))) event.preventDefault(); },
  }, form);
  document.body.append(dialog);
  show();
  dialog.showModal();
  (fields.find(({ input }) => !input.value) ?? fields[0])?.input.focus();
}

function field({ name, label, value = "", help, kind = "text" }) {
  const id = `field-${name}`;
  const described = help ? `${id}-help` : undefined;
  const plain = { id, name, autocomplete: "off", spellcheck: "false", "aria-describedby": described };
  const input = kind === "long" ? h("textarea", { ...plain, rows: 4, required: true })
    : kind === "yes" ? h("input", { ...plain, type: "checkbox", checked: value === true })
    : h("input", { ...plain, type: "text", required: true, autocapitalize: "off" });
  if (kind !== "yes") input.value = value;
  const row = h("div", { class: `field ${kind}` }, h("label", { for: id }, label), input, help && h("p", { class: "fine", id: described }, help));
  return { name, input, row };
}

const privateKey = (answer) => answer.body.data?.apiPrivateKey;

function succeeded(operation, answer) {
  const secret = privateKey(answer);
  const shown = secret ? { ...answer.body, data: { ...answer.body.data, apiPrivateKey: "shown above" } } : answer.body;
  return h("div", { class: "success" },
    h("p", null, h("strong", null, `Done: HTTP ${answer.status}`), answer.replayed && " (replayed: the response of the first call)"),
    secret && once(secret),
    operation.facts && facts(...operation.facts(answer.body)),
    h("details", null, h("summary", null, "Full response"), h("pre", { tabindex: 0 }, JSON.stringify(shown, null, 2))),
    answer.requestId && h("p", { class: "fine" }, "request ", copyable(answer.requestId, "request id")));
}

/** The only secret of the contract. It is shown in this dialog only, and not stored. */
function once(secret) {
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
    note.textContent = copied ? "Copied. The key stays in the clipboard until you copy something else." : "Cannot copy the key: show it, then copy it manually.";
    say(note.textContent);
  } }, "Copy key");
  return h("div", { class: "once" },
    h("p", null, h("strong", null, "The API wallet's private key. "), "The console does not store it. The service returns it once, or again for ten minutes with the same Idempotency-Key."),
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
