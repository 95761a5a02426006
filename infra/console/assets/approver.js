// Approvals with WebAuthn. The private key stays in the authenticator: the page only asks for an assertion over a text
// that it builds from the change on the screen.

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
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  return `{${Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(",")}}`;
}

/** The seven lines of a change. */
export function changeText({ chainId, tenant, sequence, previousHash, change, notAfter }) {
  return ["HyperDEX Keys policy change", chainId, tenant, sequence, previousHash, canonical(change), notAfter].join("\n");
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
