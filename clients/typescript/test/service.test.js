// The client against the real service, whose address PARETAIL_ADDRESS tells.

import assert from "node:assert/strict";
import test from "node:test";

import { Client, EventQueue, ServiceError } from "../index.js";
import { ENDPOINTS } from "../endpoints.js";
import { between, FORWARD, LOST_AFTER } from "../testing/between.js";

const upstream = process.env.PARETAIL_ADDRESS ?? "";
const skip = upstream ? false : "PARETAIL_ADDRESS tells no service";
const client = new Client(upstream || "http://127.0.0.1:9");

/** Return how many events the service has stored. */
async function stored() {
  const told = (await client.metrics()).matchAll(/^paretail_store_events_\w+ (\S+)$/gm);
  return [...told].reduce((sum, [, count]) => sum + Number(count), 0);
}

test("every method is answered", { skip }, async () => {
  const user = "every u/1 ü?";
  const item = { item_id: "node-1", title: "Linen Blazer", category: ["Men"], price: 89, in_stock: true };
  /** @type {Record<string, () => Promise<any>>} */
  const answered = {
    putItems: async () => assert.equal((await client.putItems([item])).accepted, 1),
    changeItems: async () =>
      assert.equal((await client.changeItems([{ item_id: "node-1", price: 79 }])).rows[0].id, "node-1"),
    item: async () => {
      const { item: now } = await client.item("node-1");
      assert.deepEqual([now.title, now.category, now.price, now.in_stock], [item.title, ["Men"], 79, true]);
    },
    putUsers: async () =>
      assert.equal((await client.putUsers([{ user_id: user, attributes: { country: "DK" } }])).accepted, 1),
    changeUsers: async () =>
      assert.equal((await client.changeUsers([{ user_id: user, attributes: { member: true } }])).accepted, 1),
    events: async () =>
      assert.equal((await client.events([{ user_id: user, item_id: "i00000012", kind: "pv" }])).accepted, 1),
    merge: async () => assert.equal((await client.merge(user, { visitor_id: `visitor ${Date.now()}` })).user_id, user),
    profile: async () => assert.deepEqual((await client.profile(user)).attributes, { country: "DK", member: true }),
    recommend: async () => {
      const { items } = await client.recommend({ user_id: user, events: [{ item_id: "i00000040", kind: "pv" }], k: 3 });
      assert.deepEqual(
        items.map(({ rank }) => rank),
        [1, 2, 3],
      );
    },
    page: async () => {
      const { lists } = await client.page({
        lists: [
          { placement: "for-you", k: 4 },
          { placement: "trending", k: 2 },
        ],
      });
      assert.deepEqual(
        lists.map(({ items }) => items.length),
        [4, 2],
      );
      assert.equal((await client.page()).lists.length, 5);
    },
    rank: async () => {
      const { items } = await client.rank({ user_id: user, candidates: ["i00000012", "new here", "i00000014"], by: "click" });
      assert.deepEqual(
        items.map(({ known }) => known ?? true),
        [true, true, false],
      );
      assert.ok(Number(items[0]?.p_click) >= Number(items[1]?.p_click));
    },
    similar: async () => assert.ok((await client.similar({ items: ["i00000012"], k: 2 })).items.length <= 2),
    categories: async () => assert.equal((await client.categories({ items: ["i00000012"], k: 2 })).items.length, 2),
    friends: async () => assert.equal((await client.friends({ user_id: user, k: 2 })).items.length, 2),
    trending: async () =>
      assert.equal((await client.trending({ k: 4, filter: "price > 1", ...{ none: undefined } })).items.length, 4),
    stats: async () => assert.equal((await client.stats({ since: 0, until: 1.5 })).until, 1.5),
    live: async () => assert.equal((await client.live()).status, "live"),
    ready: async () => assert.ok((await client.ready()).model_version),
    metrics: async () => assert.match(await client.metrics(), /^paretail_/m),
    openapi: async () => assert.equal(/** @type {any} */ (await client.openapi()).openapi, "3.1.0"),
    deleteItems: async () => assert.equal((await client.deleteItems(["node-1"])).accepted, 1),
    forgetUsers: async () => assert.equal((await client.forgetUsers([user])).accepted, 1),
  };
  assert.deepEqual(Object.keys(answered).sort(), Object.keys(ENDPOINTS).sort());
  for (const [name, check] of Object.entries(answered)) await assert.doesNotReject(check, name);
});

test("ids may hold any character", { skip }, async () => {
  for (const id of ["a/b", "ü €", "100%", "%2F", "?q#f", "...", "a+b&c=d", "\n"]) {
    await client.putItems([{ item_id: id, title: "odd" }]);
    assert.equal((await client.item(id)).item.item_id, id);
    assert.equal((await client.profile(id)).user_id, id);
  }
});

test("errors are told as the service tells them", { skip }, async () => {
  await assert.rejects(
    client.recommend({ filter: "price <", request_id: "mine" }),
    (/** @type {ServiceError} */ error) => {
      assert.deepEqual([error.status, error.detail.code, error.requestId], [422, "FILT-01", "mine"]);
      return error instanceof ServiceError;
    },
  );
});

test("many events are sent in batches with a verdict for each", { skip }, async () => {
  const events = Array.from({ length: 2500 }, (_, row) => ({
    user_id: "node many",
    item_id: "i00000012",
    kind: row === 1500 ? "veiw" : "pv",
  }));
  const [answer, again] = [await client.events(events), await client.events(events)];
  assert.deepEqual(
    answer.rows.map(({ row }) => row),
    Array.from({ length: 2500 }, (_, row) => row),
  );
  assert.equal(answer.rows[1500].error?.code, "SERV-04");
  assert.deepEqual([answer.accepted, again.duplicates, again.rejected], [2499, 2499, 1]);
});

test("events whose answer is lost are kept once", { skip }, async () => {
  const before = await stored();
  await between([LOST_AFTER], { last: FORWARD, upstream }, async (address, asked) => {
    const events = Array.from({ length: 5 }, () => ({ user_id: "node lost", item_id: "i00000012", kind: "pv" }));
    const answer = await new Client(address).events(events);
    assert.deepEqual([asked.length, answer.accepted, answer.duplicates], [2, 0, 5]);
  });
  assert.equal((await stored()) - before, 5);
});

test("a list whose answer is lost is asked again under its name", { skip }, async () => {
  await between([LOST_AFTER], { last: FORWARD, upstream }, async (address, asked) => {
    const { request_id: name } = await new Client(address).recommend({ user_id: "u00000007", k: 7 });
    assert.deepEqual(
      asked.map(({ body }) => body.request_id),
      [name, name],
    );
  });
});

test("nothing of a queue is lost or counted twice while the service is away", { skip }, async () => {
  const before = await stored();
  await between([LOST_AFTER, { status: 503 }, LOST_AFTER], { last: FORWARD, upstream }, async (address, asked) => {
    const queue = new EventQueue(new Client(address, { retries: 0 }), { size: 20, seconds: 0.01 });
    for (let count = 0; count < 50; count++) queue.put({ user_id: "node away", item_id: "i00000012", kind: "pv" });
    await queue.flush();
    await queue.close();
    assert.equal(asked.length, 6);
  });
  assert.equal((await stored()) - before, 50);
});
