// Approvals with WebAuthn. The private key stays in the authenticator: the page only asks for an assertion over a text
// that it builds from the typed values of a change or a payment.

import { KINDS } from "./paid.js";

const BYTES = new TextEncoder();

/** Returns base64url without padding. */
function base64url(buffer) {
  let text = "";
  for (const byte of new Uint8Array(buffer)) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** One line of JSON with sorted keys and without spaces, as approvers sign it. */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  // A number of up to 64 bits, of which a JavaScript number would lose digits.
  if (typeof value === "bigint") return String(value);
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  return `{${Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(",")}}`;
}

/** The seven lines of a change. */
export function changeText({ chainId, tenant, sequence, previousHash, change, notAfter }) {
  return ["HyperDEX Keys policy change", chainId, tenant, sequence, previousHash, canonical(change), notAfter].join("\n");
}

/** A text field: `read` checks the typed text, and returns its value in JSON. */
const typed = (pattern, expected, read = (text) => text) => (label, help) => ({
  label, help,
  read(text) {
    if (!pattern.test(text)) throw new Error(`expected ${expected}`);
    return read(text);
  },
});
/** A whole number up to a maximum. */
const upTo = (most) => typed(/^(0|[1-9]\d{0,19})$/, `a whole number from 0 to ${most}`, (text) => {
  if (BigInt(text) > most) throw new Error(`expected a whole number from 0 to ${most}`);
  return BigInt(text);
});
/** One of several values, each with the text that is chosen. */
const choice = (label, values, help) => ({
  label, help, options: Object.keys(values),
  read(text) {
    if (!Object.hasOwn(values, text)) throw new Error("choose one");
    return values[text];
  },
});
/** One of several variants, each with its own fields. */
const variant = (label, variants) => ({ ...choice(label, variants), variants });

const LINE = typed(/^[!-~]+$/, "a text without spaces");
const ID = typed(/^[A-Za-z0-9._-]{1,64}$/, "1 to 64 characters of A-Z a-z 0-9 . _ -");
const UUID = typed(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i, "a UUID", (text) => text.toLowerCase());
const ADDRESS = typed(/^0x[0-9a-fA-F]{40}$/, "0x and 40 hex digits", (text) => text.toLowerCase());
const AMOUNT = typed(/^(0|[1-9]\d{0,19})(\.\d{0,17}[1-9])?$/, "a decimal number such as 12.5, without sign, exponent or trailing zeros");
const TOKEN = typed(/^[A-Za-z0-9]{1,16}:0x[0-9a-f]{32}$/, "NAME:0x and 32 lower-case hex digits");
const BALANCE = typed(/^[A-Za-z0-9]{1,16}$/, "perp, spot or the name of a DEX", (text) => (text === "perp" ? "" : text));
const ASSET = typed(/^[A-Za-z0-9]{1,20}$/, "1 to 20 letters and digits");
const SYMBOL = typed(/^[A-Za-z0-9.:_-]{1,40}$/, "1 to 40 characters of A-Z a-z 0-9 . : _ -");
const U64 = upTo(2n ** 64n - 1n), U32 = upTo(2n ** 32n - 1n), U8 = upTo(255n);
const BALANCES = "perp, spot or the name of a DEX";
const ACTION = "The service uses sendAsset.";

/** The fields of each kind of payment, with the names and variants of `domain::money::Payment`. */
const PAYMENTS = {
  HyperliquidWithdraw: {
    destination: ADDRESS("Destination"), amount: AMOUNT("Amount, USDC", "Includes the fee."), maxFee: AMOUNT("Highest fee, USDC"),
    route: variant("Route", {
      bridge: {},
      cctp: { domain: U32("Circle's number of the chain"), gasLimit: U64("Gas for the arrival"), source: choice("From balance", { perp: "", spot: "spot" }) },
    }),
  },
  HyperliquidSendAsset: {
    destination: ADDRESS("Destination"), token: TOKEN("Token", "NAME:0x and the token's id."), amount: AMOUNT("Amount"),
    source: BALANCE("From balance", BALANCES), target: BALANCE("To balance", BALANCES), standard: choice("Action", { sendAsset: false, usdSend: true }, ACTION),
  },
  HyperliquidMoveOwn: {
    token: TOKEN("Token", "NAME:0x and the token's id."), amount: AMOUNT("Amount"),
    from: BALANCE("From balance", BALANCES), to: BALANCE("To balance", BALANCES), standard: choice("Action", { sendAsset: false, usdClassTransfer: true }, ACTION),
  },
  AsterWithdraw: {
    chainId: U64("Chain", "1, 56 or 42161."), asset: ASSET("Asset"), amount: AMOUNT("Amount"), fee: AMOUNT("Fee", "In the asset."),
    accountType: choice("From account", { perp: "perp", spot: "spot" }),
  },
  EvmTokenTransfer: {
    chainId: U64("Chain", "56 is BNB Smart Chain."),
    token: variant("Token", { native: {}, erc20: { symbol: SYMBOL("Symbol"), contract: ADDRESS("Contract"), decimals: U8("Decimals") } }),
    destination: ADDRESS("Destination"), amount: AMOUNT("Amount"), gasLimit: U64("Gas limit"),
    fee: variant("Fee", {
      dynamic: { maxFeePerGas: U64("Maximum fee for a unit of gas, wei"), maxPriorityFeePerGas: U64("Maximum priority fee for a unit of gas, wei") },
      legacy: { gasPrice: U64("Gas price, wei") },
    }),
    accountNonce: U64("Account's nonce"),
  },
};

/** The six values of a payment's text, in the order of its lines. */
const LINES = {
  chainId: LINE("Id of the policy chain", "As you noted it when you became an approver."), tenant: LINE("Tenant"),
  walletId: UUID("Wallet's id", "A UUID, not an address."), paymentId: ID("Payment's id", "paymentId of the refusal."),
  payment: variant("Kind of payment", PAYMENTS), notAfter: U64("Approval counts until, Unix seconds", "notAfter of the refusal."),
};

/** Returns the fields of a form for a payment, as `operation.field` expects them. */
export function paymentFields(fields = LINES, place = [], isShown) {
  return Object.entries(fields).flatMap(([name, one]) => {
    const id = [...place, name].join("-");
    const own = { name: id, label: one.label, help: one.help, read: one.read, when: isShown };
    if (!one.options) return [own];
    const options = [["", "choose"], ...one.options.map((text) => [text, KINDS[text] ?? text])];
    const inner = Object.entries(one.variants ?? {}).flatMap(([text, of]) => paymentFields(of, [...place, name, text], (values) => values[id] === text));
    return [{ ...own, kind: "choice", options }, ...inner];
  });
}

/** Returns the typed values in the form of JSON. Throws if a value is not valid. */
function valuesOf(texts, fields, place = []) {
  return Object.fromEntries(Object.entries(fields).map(([name, one]) => {
    const text = texts[[...place, name].join("-")].trim(), value = one.read(text);
    if (!one.variants) return [name, value];
    // A variant without fields is a text, as the service writes it.
    return [name, Object.keys(value).length === 0 ? text : { [text]: valuesOf(texts, value, [...place, name, text]) }];
  }));
}

/** Returns the seven lines of a payment, and the typed values. `texts` has the text of each field of the form. */
export function paymentText(texts) {
  const values = valuesOf(texts, LINES);
  const { chainId, tenant, walletId, paymentId, payment, notAfter } = values;
  return { ...values, text: ["HyperDEX Keys payment", chainId, tenant, walletId, paymentId, canonical(payment), notAfter].join("\n") };
}

/** The approvers of an authority that can sign on this page. */
export function usable(authority) {
  return (authority?.approvers ?? []).filter(({ webauthn }) => webauthn?.origin === location.origin);
}

/** Asks the authenticator for a signature of a text. Returns the approval of an approver. */
export async function sign(approver, text) {
  const challenge = await crypto.subtle.digest("SHA-256", BYTES.encode(text));
  const credential = await navigator.credentials.get({
    publicKey: { challenge, rpId: approver.webauthn.rpId, userVerification: "required", timeout: 120_000 },
  });
  if (!credential) throw new Error("The authenticator returned no signature.");
  const { authenticatorData, clientDataJSON, signature } = credential.response;
  return {
    approver: approver.id,
    signature: { webAuthn: { authenticatorData: base64url(authenticatorData), clientDataJson: base64url(clientDataJSON), signature: base64url(signature) } },
  };
}

/** Makes a credential in the authenticator, and returns the entry of its approver for an authority. */
export async function enrol(id) {
  const random = crypto.getRandomValues(new Uint8Array(32));
  const credential = await navigator.credentials.create({
    publicKey: {
      challenge: random, rp: { name: "HyperDEX Keys", id: location.hostname },
      user: { id: BYTES.encode(id), name: id, displayName: id },
      // ES256: ECDSA with P-256 and SHA-256.
      pubKeyCredParams: [{ type: "public-key", alg: -7 }],
      authenticatorSelection: { residentKey: "required", userVerification: "required" },
      attestation: "none", timeout: 120_000,
    },
  });
  const der = new Uint8Array(credential.response.getPublicKey());
  // The last 65 bytes of a P-256 key in DER are its uncompressed point.
  const point = [...der.slice(-65)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return { id, publicKey: point, webauthn: { origin: location.origin, rpId: location.hostname } };
}
