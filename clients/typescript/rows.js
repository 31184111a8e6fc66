// Rows: any number of them, sent in requests that the service takes, and their verdicts as those of one batch.

import { failure, ParetailError, ServiceError, UsageError } from "./errors.js";

/** What the service takes in one request. */
const MOST_ROWS = 1000;
const MOST_BYTES = 1 << 20;
/** Nothing of the batch was kept: every row is refused, or one that is larger than a request may be. */
export const REFUSED = new Set([413, 422]);

/** @typedef {import("./types.js").BatchAnswer} BatchAnswer */

/** @type {WeakMap<object, string>} names of events that were told without one: the same object is the same event */
const names = new WeakMap();
const encoder = new TextEncoder();

/**
 * Send rows and return a verdict for each; where every one is rejected the first problem is thrown.
 * @param {string} field @param {Iterable<any>} rows @param {(body: string) => Promise<BatchAnswer>} send
 */
export async function sendingRows(field, rows, send) {
  if (typeof rows === "string" || rows?.[Symbol.iterator] === undefined) {
    throw new UsageError("one row where many go", "A list, or anything that yields rows", "Put it into a list");
  }
  /** @type {BatchAnswer} */
  const joined = { request_id: "", accepted: 0, duplicates: 0, rejected: 0, rows: [] };
  let refusal;
  for (const batch of batches(rows, field === "events", MOST_BYTES - field.length - 7)) {
    try {
      join(joined, await send(`{"${field}":[${batch.join(",")}]}`));
    } catch (error) {
      if (error instanceof ParetailError) error.rowsAnswered = joined.rows.length;
      if (!(error instanceof ServiceError) || !REFUSED.has(error.status)) throw error;
      refusal ??= error;
      join(joined, rejected(batch.length, error));
    }
  }
  if (refusal && joined.accepted + joined.duplicates === 0) throw refusal;
  joined.request_id ||= newId();
  return joined;
}

/** Yield rows as JSON, in batches of at most MOST_ROWS and `room` bytes with commas; a longer row is alone.
 * @param {Iterable<any>} rows @param {boolean} areEvents @param {number} room
 */
export function* batches(rows, areEvents, room) {
  /** @type {string[]} */
  let batch = [];
  let left = room;
  for (const row of rows) {
    const told = JSON.stringify(areEvents ? named(row) : row);
    const size = encoder.encode(told).length;
    if (batch.length && (batch.length === MOST_ROWS || size > left)) {
      yield batch;
      batch = [];
      left = room;
    }
    batch.push(told);
    left -= size + 1;
  }
  if (batch.length) yield batch;
}

/** @param {any} event */
function named(event) {
  if (event?.event_id || typeof event !== "object" || event === null) return event;
  const name = names.get(event) ?? newId();
  names.set(event, name);
  return { ...event, event_id: name };
}

/** @param {BatchAnswer} joined @param {BatchAnswer} more its rows go on counting where those before ended */
function join(joined, more) {
  const start = joined.rows.length;
  joined.request_id ||= more.request_id;
  joined.accepted += more.accepted;
  joined.duplicates += more.duplicates;
  joined.rejected += more.rejected;
  for (const verdict of more.rows) joined.rows.push({ ...verdict, row: verdict.row + start });
}

/** @param {number} count @param {ServiceError} error @returns {BatchAnswer} */
function rejected(count, error) {
  const verdict = (/** @type {number} */ row) => ({
    row,
    status: /** @type {const} */ ("rejected"),
    error: error.detail,
  });
  const rows = Array.from({ length: count }, (_, row) => verdict(row));
  return { request_id: error.requestId ?? "", accepted: 0, duplicates: 0, rejected: count, rows };
}

/** Return a name that nobody else has. */
export function newId() {
  const bytes = new Uint8Array(16);
  // Node 18 has no global crypto.
  if (globalThis.crypto) globalThis.crypto.getRandomValues(bytes);
  else for (let place = 0; place < 16; place++) bytes[place] = Math.random() * 256;
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
