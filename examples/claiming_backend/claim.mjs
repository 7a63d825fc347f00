// Claims a registration with Node 20 or newer and no package. With one, @smithy/signature-v4 signs the request.
import { createHash, createHmac, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const hmac = (key, text) => createHmac("sha256", key).update(text).digest();
// encodeURIComponent leaves these, which AWS encodes.
const encode = (text) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

/** Return the headers of a signed POST. */
export function sign(url, body, headers, { accessKeyId, secretAccessKey, sessionToken, region, now = new Date() }) {
  const { host, pathname } = new URL(url);
  const at = now.toISOString().replace(/[-:]|\.\d{3}/g, "");
  const scope = `${at.slice(0, 8)}/${region}/execute-api/aws4_request`;
  const all = { ...headers, host, "x-amz-date": at, ...(sessionToken && { "x-amz-security-token": sessionToken }) };
  const names = Object.keys(all).sort();
  // The path is encoded once more than it is sent, as for every service but S3.
  const path = pathname.split("/").map(encode).join("/");
  const canonical = ["POST", path, "", ...names.map((name) => `${name}:${all[name]}`), "", names.join(";"), sha256(body)];
  const text = ["AWS4-HMAC-SHA256", at, scope, sha256(canonical.join("\n"))].join("\n");
  const key = scope.split("/").reduce(hmac, `AWS4${secretAccessKey}`);
  const signature = createHmac("sha256", key).update(text).digest("hex");
  const { host: _, ...sent } = all;
  const credential = `Credential=${accessKeyId}/${scope}, SignedHeaders=${names.join(";")}`;
  return { ...sent, authorization: `AWS4-HMAC-SHA256 ${credential}, Signature=${signature}` };
}

/** Return the registration, or null if the code is unknown, used or expired; throw if it stays unavailable. */
export async function claim(url, registrationCode, credentials, seconds = 20) {
  const body = JSON.stringify({ registration_code: registrationCode });
  const key = randomUUID();
  const deadline = Date.now() + seconds * 1000;
  for (let pause = 250; ; pause = Math.min(2 * pause, 4000)) {
    const headers = sign(url, body, { "content-type": "application/json", "idempotency-key": key }, credentials);
    const signal = AbortSignal.timeout(Math.min(10_000, Math.max(1, deadline - Date.now())));
    const response = await fetch(url, { method: "POST", body, headers, signal }).catch(() => undefined);
    const members = await response?.json().catch(() => undefined);
    if (response?.status === 200 && members) return members;
    if (response?.status === 404 && members?.outcome === "claim_refused") return null;
    if (response && response.status !== 200 && response.status !== 429 && response.status < 500) {
      throw new Error(`the claim was not accepted: ${response.status}`);
    }
    const wait = pause * (0.5 + Math.random() / 2) + 1000 * Number(response?.headers.get("retry-after") ?? 0);
    if (Date.now() + wait >= deadline) throw new Error(`the claim URL is not available: ${response?.status}`);
    await sleep(wait);
  }
}

// The registration code is read from standard input, because every process sees a command line:
//     CLAIM_URL=… AWS_REGION=… node claim.mjs
if (process.argv[1] === import.meta.filename) {
  process.stdin.once("data", async (line) => {
    const env = process.env;
    const registration = await claim(env.CLAIM_URL, String(line).trim(), {
      accessKeyId: env.AWS_ACCESS_KEY_ID,
      secretAccessKey: env.AWS_SECRET_ACCESS_KEY,
      sessionToken: env.AWS_SESSION_TOKEN,
      region: env.AWS_REGION,
    });
    if (registration) console.log(JSON.stringify(registration));
    else console.error("the registration code is unknown, used or expired");
    process.exit(registration ? 0 : 1);
  });
}
