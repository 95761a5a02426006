// Elements made by hand. Text is only ever set as text, so nothing that is read becomes markup.

/** An element with properties (`on…` are listeners) and children (texts, elements, nothing). */
export function h(tag, properties, ...children) {
  return filled(document.createElement(tag), properties, children);
}

/** The same for SVG. */
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

/** Adds children; lists are flattened, nothing is left out. */
export function append(element, children) {
  for (const child of [children].flat(9)) {
    if (child !== undefined && child !== null && child !== false) element.append(child);
  }
}

/** Puts other children in the place of those that are there. */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

/** Tells those who do not see the page. */
export function say(text) {
  document.getElementById("said").textContent = text;
}
