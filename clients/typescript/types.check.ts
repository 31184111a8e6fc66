// What the types let pass, and what they do not: `npm run types` compiles it, nothing runs it.

import { Client, EventQueue, ServiceError } from "paretail";
import type { BatchAnswer, Item, NewEvent, RecommendAnswer, Verdict } from "paretail";

const client = new Client("http://127.0.0.1:8000", { key: "k", retries: 0 });

export async function passes(): Promise<string[]> {
  const answer: RecommendAnswer = await client.recommend({ user_id: "u", events: [{ item_id: "i" }], fatigue: null });
  const verdicts: Verdict[] = (await client.events([{ user_id: "u", item_id: "i" } as const])).rows;
  const items: Item[] = [{ item_id: "i", attributes: { sizes: ["m"], organic: true, weight: 3, none: null } }];
  const kept: BatchAnswer = await client.putItems(new Set(items));
  await client.changeItems([{ item_id: "i", price: null }]);
  await client.trending();
  await client.categories({ events: [{ item_id: "i" }], exclude_ids: ["Garden > Pots"] });
  await client.friends({ user_id: "u", exclude: ["none"] });
  new EventQueue(client, { onRejected: (event: NewEvent, error) => event.item_id + error.code }).put({
    user_id: "u",
    item_id: "i",
  });
  const titles: string[] = (await client.page({ lists: [{ placement: "new" }] })).lists.map((list) => list.title);
  return [
    ...answer.items.map((line) => line.item_id),
    ...verdicts.map((row) => row.status),
    ...titles,
    kept.request_id,
  ];
}

export function doesNotPass(error: unknown): void {
  // @ts-expect-error: unknown fields are refused
  void client.recommend({ usr_id: "u" });
  // @ts-expect-error: items are needed
  void client.similar();
  // @ts-expect-error: there is no such relation
  void client.similar({ items: ["i"], relation: "likes" });
  // @ts-expect-error: one id is no list
  void client.deleteItems("i");
  // @ts-expect-error: user_id is needed
  void client.events([{ item_id: "i" }]);
  // @ts-expect-error: there is no such list
  void client.page({ lists: [{ placement: "newest" }] });
  // @ts-expect-error: seconds, not a date
  void client.stats({ since: new Date() });
  if (error instanceof ServiceError) {
    // @ts-expect-error: it cannot be changed
    error.status = 200;
  }
}
