// Starts the built program as a local stack on free ports with its own data.

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const program = process.env.HYPERDEX ?? new URL("../../target/debug/hyperdex", import.meta.url).pathname;

/** Starts a stack with additional arguments. Returns its URL, the URLs of its parts by name, and a stop function. */
export async function start(...more) {
  const data = await mkdtemp(join(tmpdir(), "hyperdex-console-"));
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(HYPERLIQUID|ASTER)_/.test(name)));
  const child = spawn(program, ["--port", "0", "--data-dir", data, ...more], {
    env: { ...env, RUST_LOG: "warn" }, stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
    await rm(data, { recursive: true, force: true });
  };
  const parts = {};
  for await (const line of createInterface({ input: child.stdout })) {
    const [, name, at] = /^ {2}([A-Za-z]+) {2,}(http\S+)/.exec(line) ?? [];
    if (name) parts[name] = at.replace(/\/$/, "");
    if (line.startsWith("Ctrl-C")) break;
  }
  const { API: url, DynamoDB: dynamodb } = parts;
  if (!url) throw new Error(`${program} did not start`);
  return { url, dynamodb, parts, data, stop };
}

/** Starts an operator console on a stack's tables, with its own credentials. Returns its address and a stop function. */
export async function operate(stack, ...more) {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("AWS_")));
  Object.assign(env, { AWS_ACCESS_KEY_ID: "operator", AWS_SECRET_ACCESS_KEY: "operator", AWS_REGION: "us-east-1", AWS_EC2_METADATA_DISABLED: "true" });
  const tables = ["--wallets-table", "hyperdex-wallets", "--cosigner-table", "hyperdex-cosigner"];
  const child = spawn(program, ["console", "--tenant", "local", "--endpoint-url", stack.dynamodb, ...tables, ...more], {
    env: { ...env, RUST_LOG: "warn" }, stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  let address;
  for await (const line of createInterface({ input: child.stdout })) {
    address ??= /^ {2}console +(http\S+)$/.exec(line)?.[1];
    if (line.startsWith("Ctrl-C")) break;
  }
  if (!address) throw new Error(`${program} console did not start`);
  return { address, url: new URL(address).origin, async stop() { child.kill("SIGTERM"); await ended; } };
}

/** Runs another command of the program on a stack's data and returns its output. */
export async function run(data, ...words) {
  const child = spawn(program, ["--data-dir", data, ...words], { env: { ...process.env, USER: "olga" }, stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  for await (const piece of child.stdout) output += piece;
  return output;
}

/** Makes a call to a stack's API. */
export async function api(stack, method, path, body) {
  const headers = { "content-type": "application/json", "x-api-key": "any" };
  const response = await fetch(`${stack.url}/api/${path}`, { method, headers, body: body && JSON.stringify(body) });
  return { status: response.status, body: await response.json() };
}
