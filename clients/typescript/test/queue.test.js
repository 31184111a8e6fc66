// The queue, with a client of our own that keeps what it is told, or fails as a test says.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { Client, EventQueue, NotKeptError, QueueFullError, ServiceError, UsageError } from "../index.js";
import { between } from "../testing/between.js";

const WRONG = { code: "SERV-04", found: "f", expected: "e", do: "d" };
const event = (/** @type {string} */ name) => ({ user_id: "u", item_id: "i", event_id: name });

/** Return a client and what it was sent; `outcomes` are errors to throw, or rows to reject, one a request. */
function fake(/** @type {(Error | number[])[]} */ ...outcomes) {
  /** @type {string[][]} */
  const sent = [];
  const events = async (/** @type {any} */ rows) => {
    sent.push(rows.map((/** @type {any} */ row) => row.event_id));
    await sleep(5);
    const outcome = outcomes.shift() ?? [];
    if (outcome instanceof Error) throw outcome;
    const verdicts = sent[sent.length - 1].map((_, row) =>
      outcome.includes(row) ? { row, status: "rejected", error: WRONG } : { row, status: "accepted" },
    );
    return /** @type {any} */ ({ request_id: "r", accepted: 0, duplicates: 0, rejected: 0, rows: verdicts });
  };
  return { client: { events }, sent };
}

test("events are sent when enough wait, and the end sends the rest", async () => {
  const { client, sent } = fake();
  const queue = new EventQueue(client, { size: 2, seconds: 60 });
  for (const name of ["a", "b", "c", "d", "e"]) queue.put(event(name));
  await sleep(50);
  assert.deepEqual(sent, [
    ["a", "b"],
    ["c", "d"],
  ]);
  await queue.close();
  assert.deepEqual(sent, [["a", "b"], ["c", "d"], ["e"]]);
});

test("events are sent when the oldest has waited long enough", async () => {
  const { client, sent } = fake();
  const queue = new EventQueue(client, { seconds: 0.1 });
  queue.put(event("a"));
  await sleep(50);
  queue.put(event("b"));
  assert.deepEqual(sent, []);
  await sleep(100);
  assert.deepEqual(sent, [["a", "b"]]);
  await queue.close();
});

test("a copy is taken, with a name and a time", async () => {
  /** @type {any[]} */
  const rows = [];
  const client = {
    events: async (/** @type {any} */ given) => (rows.push(...given), /** @type {any} */ ({ rows: [] })),
  };
  const queue = new EventQueue(client);
  const same = Object.freeze({ user_id: "u", item_id: "i" });
  for (const told of [same, same, { ...same, ts: 7, event_id: "mine" }]) queue.put(told);
  await queue.close();
  assert.equal(new Set(rows.map((row) => row.event_id)).size, 3);
  assert.ok(Math.abs(rows[0].ts - Date.now() / 1000) < 10);
  assert.deepEqual(rows[2], { ...same, ts: 7, event_id: "mine" });
});

test("a flush waits until it is known what became of what waited", async () => {
  const { client, sent } = fake(new Error("away"));
  const queue = new EventQueue(client, { size: 2, seconds: 60 });
  for (const name of ["a", "b", "c"]) queue.put(event(name));
  await queue.flush();
  assert.deepEqual(sent, [["a", "b"], ["a", "b"], ["c"]]);
  await queue.flush();
  await queue.close();
});

test("while no answer comes events wait in their order", async () => {
  const errors = [401, 429, 500].map((status) => new ServiceError(status, WRONG, "r"));
  const { client, sent } = fake(...errors);
  const queue = new EventQueue(client, { size: 2, seconds: 0 });
  for (const name of ["a", "b", "c", "d", "e"]) queue.put(event(name));
  await queue.flush();
  await queue.close();
  assert.deepEqual(sent, [["a", "b"], ["a", "b"], ["a", "b"], ["a", "b"], ["c", "d"], ["e"]]);
});

test("what is rejected is given back, even if one telling fails", async (context) => {
  const failed = context.mock.method(console, "error", () => {});
  const { client } = fake([0, 2], new ServiceError(422, WRONG, "r"));
  /** @type {any[]} */
  const told = [];
  const onRejected = (/** @type {any} */ { event_id }, /** @type {any} */ error) => {
    told.push([event_id, error.code]);
    if (event_id === "a") throw new Error("of the caller");
  };
  const queue = new EventQueue(client, { size: 3, onRejected });
  for (const name of ["a", "b", "c", "d"]) queue.put(event(name));
  await queue.close();
  assert.deepEqual(told, [
    ["a", "SERV-04"],
    ["c", "SERV-04"],
    ["d", "SERV-04"],
  ]);
  assert.equal(failed.mock.callCount(), 1);
});

test("without anybody to tell, the end throws", async () => {
  const { client } = fake([0, 1]);
  const queue = new EventQueue(client);
  queue.put(event("a"));
  queue.put(event("b"));
  await assert.rejects(
    queue.close(),
    (error) => error instanceof NotKeptError && /2 event\(s\) were not kept \(first: f, SERV-04\)/.test(error.message),
  );
});

test("a full queue takes nothing in, and the end gives everything back", async () => {
  /** @type {any[]} */
  const told = [];
  const client = new Client("http://127.0.0.1:9", { retries: 0 });
  const queue = new EventQueue(client, {
    size: 2,
    limit: 3,
    onRejected: ({ event_id }, error) => told.push([event_id, error.code]),
  });
  for (const name of ["a", "b", "c"]) queue.put(event(name));
  assert.throws(
    () => queue.put(event("d")),
    (error) => error instanceof QueueFullError && /CLNT-04/.test(error.message),
  );
  await queue.close();
  assert.deepEqual(told, [
    ["a", "CLNT-01"],
    ["b", "CLNT-01"],
    ["c", "CLNT-01"],
  ]);
  assert.throws(() => queue.put(event("e")), /closed/);
});

test("settings that cannot work are refused", () => {
  for (const options of [{ size: 0 }, { size: 6, limit: 5 }, { seconds: -1 }, { seconds: NaN }]) {
    assert.throws(() => new EventQueue(fake().client, options), UsageError);
  }
});

test("a page that is left sends what waits", async (context) => {
  const page = new EventTarget();
  const listen = /** @type {any} */ (page.addEventListener.bind(page));
  Object.assign(globalThis, { addEventListener: listen, removeEventListener: page.removeEventListener.bind(page) });
  context.after(() => Object.assign(globalThis, { addEventListener: undefined, removeEventListener: undefined }));
  const { client, sent } = fake();
  const queue = new EventQueue(client, { seconds: 60 });
  queue.put(event("a"));
  page.dispatchEvent(new Event("pagehide"));
  await sleep(20);
  assert.deepEqual(sent, [["a"]]);
  await queue.close();
});

test("a program that forgets to close sends its events before it ends", async () => {
  const kept = { body: '{"request_id": "r", "accepted": 1, "duplicates": 0, "rejected": 0, "rows": []}' };
  await between([], { last: kept }, async (address, asked) => {
    const code = `import { Client, EventQueue } from ${JSON.stringify(new URL("../index.js", import.meta.url))};
      new EventQueue(new Client(process.argv[1]), { seconds: 0.05 }).put({ user_id: "u", item_id: "i" });`;
    const ended = spawn(process.execPath, ["--input-type=module", "-e", code, address], { stdio: "inherit" });
    assert.equal(await new Promise((resolve) => ended.on("exit", resolve)), 0);
    assert.equal(asked.length, 1);
  });
});
