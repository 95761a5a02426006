// Times by the stack's clock, which may differ from the browser's.

const SECOND = 1_000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
const KEPT = "hyperdex-times";

let ahead = 0;

/** Sets the clock from a response of the stack. */
export function set(now) {
  if (Number.isFinite(now)) ahead = now - Date.now();
}

/** Returns the stack's time, Unix milliseconds. */
export function now() {
  return Date.now() + ahead;
}

/** Formats a duration in its two largest units. */
export function span(ms) {
  const left = Math.max(0, ms);
  const two = (big, bigName, small, smallName) => {
    const rest = Math.floor((left % big) / small);
    return `${Math.floor(left / big)} ${bigName}${rest ? ` ${rest} ${smallName}` : ""}`;
  };
  if (left >= DAY) return two(DAY, "d", HOUR, "h");
  if (left >= HOUR) return two(HOUR, "h", MINUTE, "min");
  if (left >= MINUTE) return two(MINUTE, "min", SECOND, "s");
  return `${Math.floor(left / SECOND)} s`;
}

/**
 * Returns how far away a time is. `past` selects the text for a time in the past: an event that happened (`ago`),
 * planned work that may not be done yet (`due`), or a wait that ended (`now`).
 */
export function until(at, past = "ago") {
  const left = at - now();
  if (left > 0) return `in ${span(left)}`;
  return past === "now" ? "now" : past === "due" ? `due for ${span(-left)}` : `${span(-left)} ago`;
}

const pad = (number) => String(number).padStart(2, "0");

/** Returns whether dates are shown in UTC. */
export function inUtc() {
  return localStorage.getItem(KEPT) === "utc";
}

/** Shows all dates of the page in UTC, or in local time. */
export function showUtc(utc) {
  localStorage.setItem(KEPT, utc ? "utc" : "local");
  for (const element of document.querySelectorAll("time[data-date]")) {
    element.textContent = date(Number(element.dataset.date));
  }
}

/** Returns a date with its time of day, in the time that the reader chose. */
export function date(at) {
  if (inUtc()) return utc(at);
  const then = new Date(at);
  const day = `${then.getFullYear()}-${pad(then.getMonth() + 1)}-${pad(then.getDate())}`;
  return `${day} ${[then.getHours(), then.getMinutes(), then.getSeconds()].map(pad).join(":")}`;
}

/** Returns a date with its time of day, in UTC. */
export function utc(at) {
  return `${new Date(at).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** Updates every countdown of the page. */
export function tick() {
  for (const element of document.querySelectorAll("time[data-at]")) {
    const text = until(Number(element.dataset.at), element.dataset.past);
    if (element.textContent !== text) element.textContent = text;
  }
}
