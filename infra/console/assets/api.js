// Calls to the API and to the console's own reads.

import * as time from "./time.js";

const KEPT = "hyperdex-api-key";

/** The tenant key that the user entered. It stays in this tab, and is never part of an address. */
export const key = {
  get: () => sessionStorage.getItem(KEPT) ?? "",
  set: (text) => (text ? sessionStorage.setItem(KEPT, text) : sessionStorage.removeItem(KEPT)),
};

/** A key from the address, after `#token=`: moved to this tab, and removed from the address and its history. */
export function takeToken() {
  const token = /^#token=([0-9a-f]{64})$/.exec(location.hash)?.[1];
  if (!token) return false;
  key.set(token);
  history.replaceState(null, "", "#/overview");
  return true;
}

const DETAILS = ["reason", "limit", "clientOrderId", "exchangeMessage"];

/** A response with an error status. */
export class Refused extends Error {
  constructor(status, body, requestId, retryAfter) {
    super(body.error ?? `HTTP ${status}`);
    this.status = status;
    this.code = body.code ?? "";
    this.advice = body.message ?? "";
    this.requestId = requestId ?? "";
    this.retryAfter = Number(retryAfter) || 0;
    /** Further fields that the API names. */
    this.details = Object.fromEntries(DETAILS.filter((name) => body[name] !== undefined).map((name) => [name, String(body[name])]));
  }

  /** True if a retry of the same request resumes it. */
  get mayRepeat() {
    return this.status === 0 || this.status >= 500 || this.retryAfter > 0;
  }
}

let reached = () => {};

/** Registers a function that is called after each call, with true if the stack was reached. */
export function onReach(listener) {
  reached = listener;
}

async function send(path, options) {
  let response;
  try {
    response = await fetch(path, { ...options, cache: "no-store", credentials: "omit", redirect: "error" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    reached(false);
    throw new Refused(0, { error: "The stack does not respond", code: "UNREACHABLE", message: "Check that it is running, in the terminal in which you started it." });
  }
  const text = await response.text();
  reached(true);
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    body = { error: text.trim().slice(0, 300) || `HTTP ${response.status}` };
  }
  const requestId = response.headers.get("x-request-id");
  if (!response.ok) throw new Refused(response.status, body, requestId, response.headers.get("retry-after"));
  return { status: response.status, body, requestId, replayed: response.headers.get("idempotent-replay") === "true" };
}

function headers(request) {
  return {
    // The stack ignores the key until a tenant key exists.
    ...(key.get() ? { "X-API-KEY": key.get() } : {}),
    ...(request?.idempotencyKey ? { "Idempotency-Key": request.idempotencyKey } : {}),
    ...(request?.body ? { "Content-Type": "application/json" } : {}),
  };
}

/** Calls the API: `{ method, path, body, idempotencyKey }`. */
export function call(request, signal) {
  const body = request.body && JSON.stringify(request.body);
  return send(request.path, { method: request.method, headers: headers(request), body, signal });
}

/** Reads from the console's own routes, and sets the clock from the response. */
export async function read(name, query, signal) {
  const search = query ? `?${new URLSearchParams(query)}` : "";
  const { body } = await send(`/console/data/${name}${search}`, { headers: headers(), signal });
  time.set(body.now);
  return body;
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** Returns the same call as a shell command. The key is not shown: the command reads it from a variable. */
export function curl(request) {
  const parts = [];
  if (request.method !== "GET" && !(request.method === "POST" && request.body)) parts.push(`-X ${request.method}`);
  if (key.get()) parts.push('-H "X-API-KEY: $HYPERDEX_API_KEY"');
  if (request.idempotencyKey) parts.push(`-H ${quoted(`Idempotency-Key: ${request.idempotencyKey}`)}`);
  if (request.body) parts.push("-H 'Content-Type: application/json'", `-d ${quoted(JSON.stringify(request.body))}`);
  return [`curl ${quoted(location.origin + request.path)}`, ...parts].join(" \\\n  ");
}

/** Returns a new Idempotency-Key. */
export function newIdempotencyKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `console-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
