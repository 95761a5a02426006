// One wallet: its properties, credentials, operations and decisions.

import { fill, h } from "./dom.js";
import { Refused, read } from "./api.js";
import { EXCHANGES, badge, copyable, countdown, errorBox, every, facts, freezeBadges, jobText, lifeBar, stamp } from "./parts.js";
import { open } from "./operation.js";
import { list as decisionList, rows } from "./decisions.js";
import * as time from "./time.js";

export function show(main, { signal, id, about: stack }) {
  const only = stack?.readOnly === true;
  const head = h("div", { class: "heading" }, h("h1", null, "Wallet"));
  const about = h("div", null), cards = h("div", { class: "cards" });
  const log = h("section", { "aria-labelledby": "log" });
  fill(main, h("p", { class: "crumbs" }, h("a", { href: "#/wallets" }, "Wallets")), head, about, cards, log);
  let last = "";

  const load = async () => {
    try {
      const [{ wallets: [wallet] }, agents] = await Promise.all([
        read("wallets", { ids: id }, signal),
        only ? { aster: null, hyperliquid: null } : read("agents", { wallet: id }, signal),
      ]);
      if (!wallet) throw new Refused(404, { error: "Wallet not found", code: "WALLET_NOT_FOUND" });
      const said = JSON.stringify([wallet, agents.aster, agents.hyperliquid]);
      if (said === last) return;
      last = said;
      draw(wallet, agents);
    } catch (error) {
      if (error.name === "AbortError") return;
      last = "";
      fill(about, errorBox(error));
    }
  };
  const refresh = async () => { await load(); await page(); };

  const draw = (wallet, agents) => {
    document.title = `${wallet.userId} · HyperDEX Keys`;
    fill(head, h("h1", null, wallet.userId, freezeBadges(wallet)),
      h("span", { class: "actions" }, h("a", { class: "button", href: `#/trading/${wallet.walletId}` }, "Trading"),
        !only && h("button", { type: "button", onclick: () => sign(wallet, refresh) }, "Sign a message")));
    fill(about, facts(
      ["Address", copyable(wallet.address, "address")],
      ["walletId", copyable(wallet.walletId, "walletId")],
      ["Created", stamp(wallet.createdAt)],
      ["Key shares", `version ${wallet.keyVersion}, next refresh `, countdown(wallet.refreshAt, "due")],
      wallet.operatorFreeze && ["Frozen", "by ", h("code", null, wallet.operatorFreeze.by), ", ", stamp(wallet.operatorFreeze.at), `: ${wallet.operatorFreeze.reason}. `,
        "Signing, registration and rotation are refused. Trading keys can be deleted. “hyperdex wallets unfreeze” lifts the freeze."],
      wallet.frozen && ["Barred", "This wallet does not sign. The record does not say why: a failed protocol run bars a wallet, and operators of earlier versions barred wallets by hand. ",
        "“Freeze a wallet” in docs/guides/operations.md explains how to find the cause."]),
      wallet.operatorActions.length > 0 && actions(wallet.operatorActions));
    // Redrawing removes the focused button. Focus the new button of the same name.
    const focused = document.activeElement?.dataset?.does;
    fill(cards, Object.keys(EXCHANGES).map((exchange) => card(wallet, exchange, agents[exchange], refresh, only)));
    if (focused) cards.querySelector(`[data-does="${focused}"]`)?.focus();
  };

  let pages = [];
  const page = async (before) => {
    try {
      const { decisions, before: more } = await read("decisions", { wallet: id, ...(before && { before }) }, signal);
      pages = before ? [...pages, ...decisions] : decisions;
      fill(log, h("h2", { id: "log" }, "Cosigner decisions"),
        h("p", { class: "fine" }, "The cosigner's audit log of this wallet, newest first. Each record contains the hash of the previous record."),
        decisionList(rows(pages), { withWallet: false }),
        more && h("p", null, h("button", { type: "button", onclick: () => page(more) }, "Earlier decisions")));
    } catch (error) {
      if (error.name !== "AbortError") fill(log, errorBox(error));
    }
  };
  page();
  return every(4_000, signal, load);
}

function card(wallet, exchange, agents, refresh, only) {
  const name = EXCHANGES[exchange];
  const known = wallet.credentials.find((one) => one.exchange === exchange);
  const button = (does, text, operation, kind) => h("button", {
    type: "button", class: kind, "data-does": `${exchange}-${does}`, onclick: () => operation(wallet, exchange, refresh),
  }, text);
  if (!known) {
    return h("section", { class: "card", "aria-label": name },
      h("header", null, h("h2", null, name), badge("none", "dim")),
      h("p", null, `This wallet has no trading key on ${name}.`), listed(agents, wallet, exchange),
      !only && h("footer", null, button("register", "Register", register, "primary")));
  }
  const busy = known.busyUntil > time.now();
  const live = known.state === "active" || known.state === "rotating" || known.state === "expired";
  return h("section", { class: "card", "aria-label": name },
    h("header", null, h("h2", null, name), badge(known.state), busy && badge("in use by a call", "dim")),
    known.state === "pending" && h("p", null, `It is not known whether ${name} has approved this key. Retry the registration to check and complete it.`),
    !known.isApiKey && live && h("div", { class: "life" },
      h("p", null, known.state === "expired" ? "Expired " : "Expires ", h("strong", null, countdown(known.expiresAt)), h("span", { class: "dim" }, " · ", stamp(known.expiresAt))),
      lifeBar(known.requestedAt, known.expiresAt, known.job.does === "renew" ? known.job.at : null,
        `${time.until(known.expiresAt)}, of ${time.span(known.expiresAt - known.requestedAt)}`)),
    facts(
      ["Agent", copyable(known.agentAddress, "agent address")],
      ["Name", h("code", null, known.agentName)],
      ["Next step", jobText(known.job)],
      ["Next check", known.checkAt ? ["with the exchange ", countdown(known.checkAt, "due")] : "not scheduled"],
      known.next && ["New agent", copyable(known.next.agentAddress, "new agent's address")],
      known.retiring.length > 0 && ["To be removed", known.retiring.map((agent) => copyable(agent.agentAddress, "previous agent's address"))],
      known.jobFailures > 0 && ["Job failures", `${known.jobFailures} in a row`]),
    listed(agents, wallet, exchange),
    !only && h("footer", null,
      button("read", "Read", readKey),
      known.state === "pending" || known.state === "expired" ? button("register", "Register", register, "primary") : button("rotate", "Rotate", rotate),
      button("delete", "Delete", remove, "danger-quiet")));
}

/** Operators' actions on the wallet, newest first. */
function actions(done) {
  return h("details", { class: "listed" },
    h("summary", null, `Operators: ${done.length === 1 ? "1 action" : `${done.length} actions`}`),
    h("ul", null, done.toReversed().map((one) => h("li", null, stamp(one.at), " ", badge(one.action, "dim"), " by ", h("code", null, one.by), `: ${one.reason}`))));
}

/** The agents of the wallet on the simulator. */
function listed(agents, wallet, exchange) {
  if (agents === null) return h("p", { class: "fine" }, "This exchange is not simulated. The reconciliation job compares its agents.");
  const known = new Set(wallet.credentials.filter((one) => one.exchange === exchange).flatMap((one) => [one, one.next, ...one.retiring]).map((agent) => agent?.agentAddress.toLowerCase()));
  return h("details", { class: "listed" },
    h("summary", null, `On the exchange: ${agents.length === 1 ? "1 agent" : `${agents.length} agents`}`),
    h("ul", null, agents.map((agent) => h("li", null, copyable(agent.agentAddress, "agent address", agent.agentAddress.slice(0, 10)), " ", h("code", null, agent.agentName || "unnamed"),
      " until ", stamp(agent.validUntil), !known.has(agent.agentAddress.toLowerCase()) && [" ", badge("not in the records", "bad")]))));
}

const path = (exchange, rest = "") => `/api/trading/${exchange}/apikey${rest}`;
const named = (wallet) => ({ walletIdOrAddress: wallet.userId });
const query = (wallet) => `?${new URLSearchParams(named(wallet))}`;

const remedy = (wallet, exchange) => (error) => error.code === "DEPOSIT_REQUIRED"
  && h("p", null, `Deposit on ${EXCHANGES[exchange]} for `, copyable(wallet.address, "address"), ", then retry.");

function keyFacts({ data }) {
  return [
    data.apiWalletAddress && ["API wallet", copyable(data.apiWalletAddress, "API wallet's address")],
    data.agentAddress && ["Agent", copyable(data.agentAddress, "agent address")],
    data.state && ["State", badge(data.state)],
    data.expiryTimestamp && ["Expires", countdown(data.expiryTimestamp)],
    data.previousAgentAddress && ["Previous agent", copyable(data.previousAgentAddress, "previous agent's address"), data.previousAgentRevoked ? " removed" : " is still being removed"],
  ];
}

function register(wallet, exchange, done) {
  open({
    title: `Register with ${EXCHANGES[exchange]}`,
    about: exchange === "hyperliquid"
      ? "Creates an API wallet, which your wallet approves. The response contains its private key once, or again for ten minutes with the same Idempotency-Key."
      : "Creates an agent, which your wallet approves. Its private key stays on the server.",
    fields: [{ name: "autoRenew", label: "Renew automatically before expiry", kind: "yes", value: true }],
    send: "Register",
    request: ({ autoRenew }) => ({ method: "POST", path: path(exchange), body: { ...named(wallet), ...(autoRenew ? {} : { autoRenew: false }) } }),
    facts: keyFacts, remedy: remedy(wallet, exchange), done,
  });
}

function rotate(wallet, exchange, done) {
  open({
    title: `Rotate the key on ${EXCHANGES[exchange]}`,
    about: "The new key becomes active before the old key is removed.",
    send: "Rotate",
    request: () => ({ method: "POST", path: path(exchange, "/rotate"), body: named(wallet) }),
    facts: keyFacts, remedy: remedy(wallet, exchange), done,
  });
}

function remove(wallet, exchange, done) {
  open({
    title: `Delete the key on ${EXCHANGES[exchange]}`,
    about: `Removes the agent at ${EXCHANGES[exchange]}, then deletes its credential. Programs that trade with this key stop working immediately. You cannot undo this.`,
    send: "Delete", danger: true,
    request: () => ({ method: "DELETE", path: path(exchange, query(wallet)) }),
    facts: keyFacts, done,
  });
}

function readKey(wallet, exchange) {
  open({
    title: `The key on ${EXCHANGES[exchange]}`,
    about: "State and metadata, without secrets.",
    send: "Read",
    request: () => ({ method: "GET", path: path(exchange, query(wallet)) }),
    facts: keyFacts,
  });
}

function sign(wallet, done) {
  open({
    title: "Sign a message",
    about: "EIP-191 personal_sign. Messages that an exchange would accept as a login are refused.",
    fields: [{ name: "message", label: "Message", kind: "long", help: "At most 8 KiB of UTF-8." }],
    send: "Sign",
    request: ({ message }) => ({ method: "POST", path: `/api/wallets/${encodeURIComponent(wallet.userId)}/sign`, body: { message } }),
    facts: (body) => [["Signature", copyable(body.signature, "signature")], ["Signer", copyable(body.address, "address")]],
    done,
  });
}
