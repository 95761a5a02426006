// Creates elements. Text is always set as text, so data never becomes markup.

/** Creates an element with properties (`on…` are listeners) and children (texts, elements, or falsy values). */
export function h(tag, properties, ...children) {
  return filled(document.createElement(tag), properties, children);
}

/** Creates an SVG element in the same way. */
export function svg(tag, properties, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);
}

function filled(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  append(element, children);
  return element;
}

/** Adds children. Lists are flattened, and falsy values skipped. */
export function append(element, children) {
  for (const child of [children].flat(9)) {
    if (child !== undefined && child !== null && child !== false) element.append(child);
  }
}

/** Replaces the children of an element. */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

/** Announces a text to screen readers. */
export function say(text) {
  document.getElementById("said").textContent = text;
}
