// The API reference, rendered from the stack's own OpenAPI document.

import { fill, h } from "./dom.js";
import { call } from "./api.js";
import { copyable, errorBox } from "./parts.js";

const METHODS = ["get", "post", "put", "patch", "delete", "head", "options"];

export async function show(main, { signal }) {
  const body = h("div", null);
  fill(main, h("div", { class: "heading" }, h("h1", null, "API reference")), body);
  let document;
  try {
    ({ body: document } = await call({ method: "GET", path: "/api/openapi.json" }, signal));
  } catch (error) {
    if (error.name === "AbortError") return;
    return fill(body, error.status === 404
      ? h("p", { class: "empty" }, "This stack has no OpenAPI document at /api/openapi.json. See docs/reference/api.md in the source.")
      : errorBox(error));
  }
  const operations = read(document);
  const list = h("div", { class: "operations" });
  const filter = h("input", { type: "search", id: "filter", placeholder: "Filter by path, method or text", autocomplete: "off", oninput: () => draw() });
  const draw = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = operations.filter(({ text }) => words.every((word) => text.includes(word)));
    fill(list, shown.length ? shown.map((one) => operation(document, one)) : h("p", { class: "empty" }, "No matching operations."));
  };
  fill(body,
    h("p", null, h("strong", null, document.info?.title), ` ${document.info?.version ?? ""} · OpenAPI ${document.openapi} · `,
      h("a", { href: "/api/openapi.json" }, "OpenAPI document")),
    prose(document.info?.description),
    h("div", { class: "search" }, h("label", { for: "filter", class: "hidden" }, "Filter the operations"), filter), list);
  draw();
}

/** Returns every operation, with the parameters of its path. */
function read(document) {
  return Object.entries(document.paths ?? {}).flatMap(([path, item]) => METHODS.filter((method) => item[method]).map((method) => {
    const it = item[method];
    const parameters = [...(item.parameters ?? []), ...(it.parameters ?? [])].map((one) => resolve(document, one));
    const text = `${method} ${path} ${it.summary ?? ""} ${it.description ?? ""} ${it.operationId ?? ""} ${(it.tags ?? []).join(" ")}`.toLowerCase();
    return { method, path, it, parameters, text };
  }));
}

/** Resolves a `$ref` within the document. Other documents are not fetched. */
function resolve(document, value, depth = 0) {
  const reference = value?.$ref;
  if (typeof reference !== "string" || !reference.startsWith("#/") || depth > 20) return value ?? {};
  const parts = reference.slice(2).split("/").map((part) => decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~"));
  const { $ref: _, ...siblings } = value;
  const target = parts.reduce((at, part) => at?.[part], document);
  return { ...resolve(document, target, depth + 1), ...siblings };
}

function operation(document, { method, path, it, parameters }) {
  const secured = it.security ?? document.security ?? [];
  const request = it.requestBody && resolve(document, it.requestBody);
  return h("details", { class: "endpoint" },
    h("summary", null, h("span", { class: `method ${method}` }, method.toUpperCase()), " ", h("code", null, path), " ", h("span", { class: "dim" }, it.summary ?? "")),
    h("div", { class: "inside" },
      prose(it.description),
      secured.length > 0 && h("p", { class: "fine" }, "Requires: ", secured.map((one) => Object.keys(one).join(" and ") || "nothing").join(", or ")),
      parameters.length > 0 && [h("h2", { class: "part" }, "Parameters"), h("ul", { class: "schema" }, parameters.map((one) => parameter(document, one)))],
      request && [h("h2", { class: "part" }, "Request", request.required && " (required)"), prose(request.description), content(document, request.content)],
      h("h2", { class: "part" }, "Responses"),
      Object.entries(it.responses ?? {}).map(([status, one]) => response(document, status, resolve(document, one)))));
}

function parameter(document, one) {
  const schema = resolve(document, one.schema);
  return h("li", null, h("code", null, one.name), " ", h("span", { class: "kind" }, `${kind(document, schema)}, in the ${one.in}`), one.required && h("span", { class: "wanted" }, " required"),
    prose(one.description ?? schema.description), limits(schema), example(one.example ?? schema.example));
}

function response(document, status, one) {
  const good = status.startsWith("2");
  const headers = Object.entries(one.headers ?? {});
  return h("details", { open: good, class: "answer" },
    h("summary", null, h("span", { class: `badge ${good ? "active" : "dim"}` }, status), " ", one.description ?? ""),
    headers.length > 0 && h("ul", { class: "schema" }, headers.map(([name, value]) => {
      const header = resolve(document, value);
      return h("li", null, h("code", null, name), " ", h("span", { class: "kind" }, "header"), prose(header.description));
    })),
    content(document, one.content));
}

function content(document, content) {
  return Object.entries(content ?? {}).map(([type, media]) => h("div", { class: "media" },
    h("p", { class: "fine" }, type),
    media.schema && tree(document, media.schema),
    examples(document, media)));
}

function examples(document, media) {
  const named = Object.entries(media.examples ?? {}).map(([name, value]) => [name, resolve(document, value)]);
  const all = media.example !== undefined ? [["Example", { value: media.example }], ...named] : named;
  return all.map(([name, { summary, value }]) => {
    const text = JSON.stringify(value, null, 2) ?? "";
    return h("figure", null, h("figcaption", null, summary ?? name, " ", copyable(text, "example", "")), h("pre", { tabindex: 0 }, text));
  });
}

/** Returns the name of a schema's type. */
function kind(document, given) {
  const schema = resolve(document, given);
  const name = given?.$ref?.split("/").pop();
  const types = [schema.type].flat().filter(Boolean);
  if (types.includes("array")) return `list of ${kind(document, schema.items ?? {})}`;
  const many = schema.oneOf ?? schema.anyOf;
  const word = types.join(" or ") || (schema.const !== undefined ? "constant" : many ? many.map((one) => kind(document, one)).join(" or ") : schema.properties || schema.allOf ? "object" : "anything");
  return [name && word === "object" ? name : word, schema.format && `(${schema.format})`].filter(Boolean).join(" ");
}

/** A schema as a tree of its fields. A recursive schema ends where it repeats. */
function tree(document, given, above = []) {
  if (given?.$ref && above.includes(given.$ref)) return h("p", { class: "fine" }, `as ${given.$ref.split("/").pop()} above`);
  const path = given?.$ref ? [...above, given.$ref] : above;
  const schema = resolve(document, given);
  const parts = [...(schema.allOf ?? [])].map((one) => tree(document, one, path));
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices) parts.push(h("div", { class: "choices" }, choices.map((one, at) => h("div", null, h("p", { class: "fine" }, at ? "or " : "one of ", kind(document, one)), tree(document, one, path)))));
  const properties = Object.entries(schema.properties ?? {});
  if (properties.length) {
    const wanted = new Set(schema.required ?? []);
    parts.push(h("ul", { class: "schema" }, properties.map(([name, one]) => {
      const property = resolve(document, one);
      const nested = [property.type].flat().includes("array") ? property.items : one;
      const inner = resolve(document, nested);
      return h("li", null, h("code", null, name), " ", h("span", { class: "kind" }, kind(document, one)), wanted.has(name) && h("span", { class: "wanted" }, " always"),
        prose(property.description), limits(property), example(property.example ?? property.examples?.[0]),
        (inner.properties || inner.oneOf || inner.anyOf || inner.allOf) && tree(document, nested, path));
    })));
  } else if (!parts.length) {
    parts.push(h("p", { class: "kind" }, kind(document, given)), prose(schema.description), limits(schema));
  }
  return h("div", null, parts);
}

function limits(schema) {
  const said = [
    schema.const !== undefined && `always ${JSON.stringify(schema.const)}`,
    schema.enum && `one of ${schema.enum.map((one) => JSON.stringify(one)).join(", ")}`,
    schema.minLength !== undefined && `at least ${schema.minLength} characters`,
    schema.maxLength !== undefined && `at most ${schema.maxLength} characters`,
    schema.minimum !== undefined && `from ${schema.minimum}`,
    schema.maximum !== undefined && `to ${schema.maximum}`,
    schema.pattern && `of the form ${schema.pattern}`,
    schema.default !== undefined && `default ${JSON.stringify(schema.default)}`,
  ].filter(Boolean);
  return said.length > 0 && h("p", { class: "fine" }, said.join("; "));
}

function example(value) {
  return value !== undefined && h("p", { class: "fine" }, "example: ", h("code", null, typeof value === "string" ? value : JSON.stringify(value)));
}

/** Paragraphs of text. Text between backquotes is code. */
function prose(text) {
  return (text ?? "").split(/\n\s*\n/).filter((part) => part.trim()).map((part) => h("p", null, part.split("`").map((piece, at) => (at % 2 ? h("code", null, piece) : piece))));
}
