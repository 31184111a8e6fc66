// A server that stands before the service, or alone, and does to each request what a test tells it, over real HTTP.

import { createServer } from "node:http";

/** @typedef {{status?: number, headers?: object, body?: string}} Told */
/** @typedef {Told & {waitMs?: number, forward?: boolean, lose?: boolean}} Act */

export const LOST_BEFORE = { lose: true };
export const LOST_AFTER = { forward: true, lose: true };
export const FORWARD = { forward: true };

/** @param {number} status @param {string} [code] @param {object} [headers] @returns {Act} an error of the one shape */
export function refusal(status, code = "SERV-14", headers = {}) {
  const body = JSON.stringify({ error: { code, found: "f", expected: "e", do: "d" }, request_id: "r1" });
  return { status, headers, body };
}

/**
 * Run a test with a server that does `acts`, one a request, and then `last` for ever.
 * @param {Act[]} acts
 * @param {{last?: Act, upstream?: string}} options
 * @param {(address: string, asked: {path: string, headers: any, body: any}[]) => Promise<void>} test
 */
export async function between(acts, { last = {}, upstream = "" }, test) {
  const left = [...acts];
  /** @type {{path: string, headers: any, body: any}[]} */
  const asked = [];
  const server = createServer(async (request, reply) => {
    let sent = "";
    for await (const part of request) sent += part;
    asked.push({ path: String(request.url), headers: request.headers, body: sent ? JSON.parse(sent) : undefined });
    const act = { status: 200, body: '{"status": "live"}', ...(left.shift() ?? last) };
    await new Promise((resolve) => setTimeout(resolve, act.waitMs ?? 0));
    if (act.forward) {
      const told = await fetch(upstream + request.url, { method: request.method, body: sent || undefined });
      Object.assign(act, { status: told.status, body: await told.text() });
    }
    if (act.lose) return request.socket.destroy();
    reply.writeHead(act.status, { ...act.headers }).end(act.body);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  try {
    const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
    await test(`http://127.0.0.1:${port}`, asked);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
