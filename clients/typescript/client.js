// The client: every endpoint as a method, over fetch. What fails for now (no connection, no answer in time, status 429,
// 502, 503 or 504) is asked again, the same request each time, so that it counts once. Pauses grow with full jitter,
// random() * min(longest, first * 2^attempt), and what Retry-After tells comes on top.

import { ENDPOINTS } from "./endpoints.js";
import { failure, NoAnswerError, UsageError } from "./errors.js";
import { newId, sendingRows } from "./rows.js";

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 10_000;
const REPEATED = new Set([429, 502, 503, 504]);
/** Bytes that a browser still sends for a page that is being left. */
const MOST_KEEPALIVE = 60_000;

/** @typedef {{method: string, path: string, rows?: string, named?: boolean, text?: boolean}} Endpoint */

/** See index.d.ts. */
export class Client {
  #address;
  #headers;
  #retries;
  #timeoutMs;

  static {
    for (const [name, endpoint] of Object.entries(ENDPOINTS)) {
      const methods = {
        /** @this {Client} @param {any[]} given */
        async [name](...given) {
          return this.#call(endpoint, given);
        },
      };
      Object.defineProperty(this.prototype, name, { value: methods[name], configurable: true, writable: true });
    }
  }

  /** @param {string} address @param {import("./index.js").ClientOptions} [options] */
  constructor(address, { key, timeoutMs = 10_000, retries = 3 } = {}) {
    check(address, key, timeoutMs, retries);
    this.#address = address.replace(/\/+$/, "");
    this.#headers = { "content-type": "application/json", ...(key && { authorization: `Bearer ${key}` }) };
    this.#retries = retries;
    this.#timeoutMs = timeoutMs;
  }

  /** @param {Endpoint} endpoint @param {any[]} given */
  #call(endpoint, given) {
    const path = endpoint.path.replace("{id}", () => escaped(given.shift()));
    const [question = {}] = given;
    if (endpoint.rows) {
      return sendingRows(endpoint.rows, question, (body) =>
        this.#ask(endpoint, path, body, body.length < MOST_KEEPALIVE),
      );
    }
    if (endpoint.method === "GET") return this.#ask(endpoint, path + query(question));
    const named = endpoint.named ? { ...question, request_id: question.request_id ?? newId() } : question;
    return this.#ask(endpoint, path, JSON.stringify(named));
  }

  /** @param {Endpoint} endpoint @param {string} path @param {string} [body] @param {boolean} [keepalive] */
  async #ask(endpoint, path, body, keepalive = false) {
    for (let attempt = 0; ; attempt++) {
      const outcome = await this.#attempt({ method: endpoint.method, body: body ?? null, keepalive }, path);
      const pause = attempt < this.#retries ? pauseMs(outcome, attempt, Math.random()) : undefined;
      if (pause !== undefined) await new Promise((resolve) => setTimeout(resolve, pause));
      else if ("error" in outcome) throw new NoAnswerError(this.#address, attempt + 1, outcome.error);
      else return read(outcome, endpoint.text);
    }
  }

  /** @param {RequestInit} sent @param {string} path @returns {Promise<Outcome>} */
  async #attempt(sent, path) {
    const signal = AbortSignal.timeout(this.#timeoutMs);
    try {
      const reply = await fetch(this.#address + path, { ...sent, headers: this.#headers, signal, redirect: "manual" });
      return { status: reply.status, headers: reply.headers, text: await reply.text() };
    } catch (error) {
      return { error };
    }
  }
}

/** @typedef {{status: number, headers: Headers, text: string}} Reply */
/** @typedef {Reply | {error: any}} Outcome */

/** Return how long to wait before the next attempt, undefined where another would not help.
 * @param {Outcome} outcome @param {number} attempt @param {number} share drawn from [0, 1)
 */
export function pauseMs(outcome, attempt, share) {
  const jitter = share * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt);
  if ("error" in outcome) return jitter;
  if (!REPEATED.has(outcome.status)) return undefined;
  const told = outcome.headers.get("retry-after") ?? "";
  const after = /^\d+$/.test(told) ? Number(told) * 1000 : Math.max(0, Date.parse(told) - Date.now()) || 0;
  return after > LONGEST_PAUSE_MS ? undefined : after + jitter;
}

/** @param {Reply} reply @param {boolean} [text] */
function read(reply, text) {
  if (reply.status !== 200) throw failure(reply);
  if (text) return reply.text;
  try {
    return JSON.parse(reply.text);
  } catch {
    throw failure(reply);
  }
}

/** Return an id as a part of a path. @param {unknown} id */
function escaped(id) {
  // An address leads elsewhere with . and .. even if they are escaped.
  if (typeof id === "string" && /[^.]|\.{3}/.test(id)) return encodeURIComponent(id);
  throw new UsageError(`id ${JSON.stringify(id)}`, "A string that is neither empty nor . nor ..", "Correct the id");
}

/** @param {Record<string, any>} question */
function query(question) {
  const told = Object.entries(question).filter(([, value]) => value !== undefined && value !== null);
  return told.length ? `?${new URLSearchParams(told)}` : "";
}

/** @param {unknown} address @param {unknown} key @param {number} timeoutMs @param {number} retries */
function check(address, key, timeoutMs, retries) {
  if (typeof address !== "string" || !/^(https?:\/\/[^/?#@\s]+)?(\/[^?#\s]*)?$/.test(address)) {
    const expected = "Such as http://127.0.0.1:8000, or a path of the page's own server";
    throw new UsageError("the address cannot be used", expected, "Correct it; an API key goes to `key`");
  }
  if (key !== undefined && !(typeof key === "string" && /^[\x21-\x7e]+$/.test(key))) {
    const found = "an API key with characters that no key has";
    throw new UsageError(found, "What paretail keys create showed", "Look for line ends");
  }
  if (!(timeoutMs > 0 && timeoutMs < 2 ** 31 && retries >= 0)) {
    const found = `timeoutMs = ${timeoutMs}, retries = ${retries}`;
    throw new UsageError(found, "Milliseconds, more than 0; a count, 0 or more", "Correct them");
  }
}
