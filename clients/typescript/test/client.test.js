// The client against a service that fails, over real HTTP.

import assert from "node:assert/strict";
import test from "node:test";
import { inspect } from "node:util";

import { Client, NoAnswerError, ServiceError, UsageError } from "../index.js";
import { pauseMs } from "../client.js";
import { batches } from "../rows.js";
import { between, LOST_BEFORE, refusal } from "../testing/between.js";

const LISTED = { body: '{"request_id": "r", "model_version": "v", "items": []}' };

test("pauses double up to the longest, and what may not pass is not asked again", () => {
  const pauses = Array.from({ length: 8 }, (_, attempt) => pauseMs({ error: {} }, attempt, 1));
  assert.deepEqual(pauses, [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
  const statuses = Array.from({ length: 400 }, (_, place) => 200 + place);
  const again = statuses.filter(
    (status) => pauseMs({ status, headers: new Headers(), text: "" }, 0, 0.5) !== undefined,
  );
  assert.deepEqual(again, [429, 502, 503, 504]);
});

test("Retry-After is added, unless it is too long", () => {
  const after = (/** @type {string} */ told) =>
    pauseMs({ status: 503, headers: new Headers({ "retry-after": told }), text: "" }, 0, 0.5);
  assert.deepEqual(["3", "0", "10", "11", "soon", "-5"].map(after), [3100, 100, 10_100, undefined, 100, 100]);
  const date = Number(after(new Date(Date.now() + 5000).toUTCString()));
  assert.ok(date > 3000 && date <= 5100);
});

test("what fails for now is asked again as the same request", async () => {
  const acts = [LOST_BEFORE, refusal(503), refusal(429, "KEYS-04", { "retry-after": "0" }), LISTED];
  await between(acts, {}, async (address, asked) => {
    assert.deepEqual((await new Client(address).recommend({ user_id: "u" })).items, []);
    assert.equal(asked.length, 4);
    for (const { body } of asked) assert.deepEqual(body, asked[0].body);
    assert.match(asked[0].body.request_id, /^[0-9a-f]{32}$/);
  });
});

test("a request keeps the name that it was given", async () => {
  await between([LISTED], {}, async (address, asked) => {
    await new Client(address).page({ request_id: "mine" });
    assert.deepEqual(asked[0].body, { request_id: "mine" });
  });
});

test("an event gets its name once, and its object keeps it", async () => {
  const kept = { body: '{"request_id": "r", "accepted": 2, "duplicates": 0, "rejected": 0, "rows": []}' };
  await between([LOST_BEFORE, refusal(502)], { last: kept }, async (address, asked) => {
    const events = [Object.freeze({ user_id: "u", item_id: "i" }), { user_id: "u", item_id: "i" }];
    for (let time = 0; time < 2; time++) await new Client(address).events(events);
    const names = asked.map(({ body }) => body.events.map((/** @type {any} */ event) => event.event_id));
    assert.equal(names.length, 4);
    assert.equal(new Set(names[0]).size, 2);
    for (const told of names) assert.deepEqual(told, names[0]);
    assert.deepEqual(events[1], { user_id: "u", item_id: "i" });
  });
});

test("other errors are thrown at once", async () => {
  for (const status of [400, 401, 403, 404, 405, 408, 413, 415, 422, 500]) {
    await between([refusal(status, "SERV-01")], {}, async (address, asked) => {
      await assert.rejects(new Client(address).recommend(), (/** @type {ServiceError} */ error) => {
        assert.deepEqual(
          [error.status, error.detail.code, error.requestId, error.name],
          [status, "SERV-01", "r1", "ServiceError"],
        );
        return error instanceof ServiceError && asked.length === 1;
      });
    });
  }
});

test("the last refusal is thrown when repeats are used up", async () => {
  await between([], { last: refusal(503) }, async (address, asked) => {
    await assert.rejects(new Client(address, { retries: 2 }).live(), { status: 503 });
    assert.equal(asked.length, 3);
  });
});

test("no answer in time, and nobody there", async () => {
  let gone = "";
  await between([{ waitMs: 500 }], {}, async (address, asked) => {
    gone = address;
    assert.equal((await new Client(address, { timeoutMs: 100, retries: 1 }).live()).status, "live");
    assert.equal(asked.length, 2);
  });
  await assert.rejects(new Client(gone, { retries: 1 }).live(), (/** @type {NoAnswerError} */ error) => {
    assert.match(error.message, /no answer from http.* after 2 attempt.*ECONNREFUSED.*\(CLNT-01\)/);
    return error instanceof NoAnswerError;
  });
});

test("an answer that is not of the service is told", async () => {
  const acts = [
    { body: "<html>" },
    { body: "" },
    { status: 404, body: "no" },
    { status: 204, body: "" },
    { status: 302, headers: { location: "http://elsewhere.invalid/" }, body: "" },
  ];
  for (const act of acts) {
    await between([act], {}, async (address, asked) => {
      await assert.rejects(new Client(address).live(), /CLNT-02/);
      assert.equal(asked.length, 1);
    });
  }
});

test("rows are sent in batches within the bounds, in their order", () => {
  const rows = Array.from({ length: 2500 }, (_, number) => ({ item_id: `i${number}` }));
  assert.deepEqual(
    [...batches(rows, false, 1 << 20)].map((batch) => batch.length),
    [1000, 1000, 500],
  );
  const wide = Array.from({ length: 1000 }, () => ({ title: "ü".repeat(1000) }));
  const sizes = [...batches(wide, false, 1 << 20)].map((batch) => Buffer.byteLength(batch.join(",")));
  assert.equal(sizes.length, 2);
  assert.ok(Math.max(...sizes) <= 1 << 20);
});

test("verdicts of several batches count on, and a batch that is refused whole is rejected row by row", async () => {
  const rows = Array.from({ length: 1000 }, (_, row) => ({ row, status: "accepted" }));
  const first = { body: JSON.stringify({ request_id: "r", accepted: 1000, duplicates: 0, rejected: 0, rows }) };
  const events = () => Array.from({ length: 1002 }, () => ({ user_id: "u", item_id: "i" }));
  await between([first, refusal(422, "SERV-04"), first, refusal(403)], {}, async (address) => {
    const answer = await new Client(address).events(events());
    assert.deepEqual(
      answer.rows.map(({ row }) => row),
      Array.from({ length: 1002 }, (_, row) => row),
    );
    assert.deepEqual([answer.accepted, answer.rejected, answer.rows[1001].error?.code], [1000, 2, "SERV-04"]);
    await assert.rejects(new Client(address).events(events()), { status: 403, rowsAnswered: 1000 });
  });
  await between([refusal(422, "SERV-04"), refusal(422)], {}, async (address) => {
    await assert.rejects(new Client(address).events(events()), {
      status: 422,
      detail: { code: "SERV-04", found: "f", expected: "e", do: "d" },
    });
  });
  assert.deepEqual((await new Client("http://127.0.0.1:9").events([])).rows, []);
});

test("what is no setting or argument is refused, and no secret told", async () => {
  const secret = "paretail_0123456789ab_secret";
  for (const [address, options] of [
    ["127.0.0.1:8000", {}],
    ["ftp://x", {}],
    ["http://", {}],
    ["http://x?a", {}],
    [`http://u:${secret}@x`, {}],
    ["http://x", { key: `${secret}\n` }],
    ["http://x", { key: "" }],
    ["http://x", { timeoutMs: 0 }],
    ["http://x", { retries: -1 }],
  ]) {
    assert.throws(
      () => new Client(/** @type {string} */ (address), /** @type {object} */ (options)),
      (/** @type {Error} */ error) => error instanceof UsageError && !error.message.includes(secret),
    );
  }
  const client = new Client("http://127.0.0.1:9", { key: secret });
  for (const told of [inspect(client, { showHidden: true, depth: 9 }), JSON.stringify(client)])
    assert.ok(!told.includes("secret"));
  for (const id of ["", ".", "..", undefined]) await assert.rejects(client.item(/** @type {any} */ (id)), UsageError);
  for (const rows of ["i1", 5, undefined])
    await assert.rejects(client.deleteItems(/** @type {any} */ (rows)), UsageError);
});

test("an address may have a path", async () => {
  await between([], {}, async (address, asked) => {
    for (const end of ["", "/"]) assert.equal((await new Client(`${address}/shop${end}`).live()).status, "live");
    assert.deepEqual(
      asked.map(({ path }) => path),
      ["/shop/health/live", "/shop/health/live"],
    );
  });
});
