// Times, by the stack's clock: the browser's may be another.

const SECOND = 1_000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;

let ahead = 0;

/** Sets the clock by an answer of the stack. */
export function set(now) {
  if (Number.isFinite(now)) ahead = now - Date.now();
}

/** The stack's time, Unix milliseconds. */
export function now() {
  return Date.now() + ahead;
}

/** A length of time in its two largest units. */
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

/** How far away a time is, in words. */
export function until(at) {
  const left = at - now();
  return left > 0 ? `in ${span(left)}` : `${span(-left)} ago`;
}

/** Date and time of day, in local time. */
export function date(at) {
  const pad = (number) => String(number).padStart(2, "0");
  const then = new Date(at);
  const day = `${then.getFullYear()}-${pad(then.getMonth() + 1)}-${pad(then.getDate())}`;
  return `${day} ${clock(at)}`;
}

/** The time of day. */
export function clock(at) {
  const then = new Date(at);
  return [then.getHours(), then.getMinutes(), then.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
}

/** Lets every countdown of the page go on. */
export function tick() {
  for (const element of document.querySelectorAll("time[data-at]")) {
    const text = until(Number(element.dataset.at));
    if (element.textContent !== text) element.textContent = text;
  }
}
