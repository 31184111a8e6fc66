// The queue: gathers events and sends them by itself, in their order, one request at a time.

import { pauseMs } from "./client.js";
import { NotKeptError, QueueFullError, ServiceError, UsageError } from "./errors.js";
import { newId, REFUSED } from "./rows.js";

/** @typedef {import("./types.js").NewEvent} NewEvent */
/** @typedef {import("./types.js").ErrorDetail} ErrorDetail */

/** See index.d.ts. */
export class EventQueue {
  #client;
  #options;
  /** @type {NewEvent[]} */
  #waiting = [];
  #sending = 0;
  #takenIn = 0;
  #done = 0;
  #hurriedUntil = 0;
  #dueMs = 0;
  #failures = 0;
  #isClosed = false;
  /** @type {ErrorDetail[]} why events were not kept, where nobody is told */
  #notKept = [];
  /** @type {(() => void)[]} */
  #wakers = [];
  #work;
  #leave = () => void this.flush();

  /** @param {import("./index.js").Client} client @param {import("./index.js").QueueOptions} [options] */
  constructor(client, { size = 500, seconds = 1, limit = 10_000, onRejected } = {}) {
    if (!(size > 0 && size <= limit && seconds >= 0)) {
      const found = `size ${size}, seconds ${seconds}, limit ${limit}`;
      throw new UsageError(found, "0 < size <= limit and seconds >= 0", "Correct the settings of the queue");
    }
    this.#client = client;
    this.#options = { size, seconds, limit, onRejected };
    this.#work = this.#sendAll();
    globalThis.addEventListener?.("pagehide", this.#leave);
  }

  /** @param {NewEvent} event */
  put(event) {
    const { size, seconds, limit } = this.#options;
    if (this.#isClosed)
      throw new QueueFullError("the queue is closed", "An open queue", "Put events before it is closed");
    if (this.#waiting.length + this.#sending >= limit) {
      throw new QueueFullError(
        `${limit} events wait`,
        "Room for one more",
        "Look whether the service answers, or raise limit",
      );
    }
    if (this.#waiting.length === 0 && !this.#failures) this.#dueMs = performance.now() + seconds * 1000;
    this.#waiting.push({ ...event, event_id: event.event_id ?? newId(), ts: event.ts ?? Date.now() / 1000 });
    this.#takenIn += 1;
    if (this.#waiting.length === 1 || this.#waiting.length === size) this.#notify();
  }

  async flush() {
    const end = (this.#hurriedUntil = this.#takenIn);
    this.#notify();
    while (this.#done < end) await this.#changed();
  }

  async close() {
    this.#isClosed = true;
    globalThis.removeEventListener?.("pagehide", this.#leave);
    this.#notify();
    await this.#work;
    if (this.#notKept.length) throw new NotKeptError(this.#notKept.length, this.#notKept[0]);
  }

  async #sendAll() {
    for (;;) {
      const pause = this.#pauseMs();
      if (pause === undefined && this.#isClosed) return;
      if (pause !== 0) await this.#changed(pause);
      else await this.#send(this.#waiting.splice(0, this.#options.size));
    }
  }

  /** Return how long to wait before events are sent, undefined where there are none. */
  #pauseMs() {
    const { size } = this.#options;
    if (this.#waiting.length === 0) return undefined;
    const isFull = this.#done < this.#hurriedUntil || this.#waiting.length >= size;
    return this.#isClosed || (isFull && !this.#failures) ? 0 : Math.max(0, this.#dueMs - performance.now());
  }

  /** @param {NewEvent[]} events */
  async #send(events) {
    this.#sending = events.length;
    try {
      const answer = await this.#client.events(events);
      this.#recovered();
      for (const { row, error } of answer.rows) if (error) this.#giveBack([events[row]], error);
    } catch (error) {
      events = this.#failed(events, error);
    }
    this.#sending = 0;
    this.#done += events.length;
    this.#notify();
  }

  /** Take in that no answer came; return the events of which it is now known that they are not kept.
   * @param {NewEvent[]} events @param {any} error
   */
  #failed(events, error) {
    const detail = error.detail ?? {
      code: "CLNT-01",
      found: String(error),
      expected: "An answer",
      do: "See the cause",
    };
    if (error instanceof ServiceError && (error.status === 400 || REFUSED.has(error.status))) {
      this.#recovered();
      return this.#giveBack(events, detail);
    }
    if (this.#isClosed) return this.#giveBack([...events, ...this.#waiting.splice(0)], detail);
    this.#waiting.unshift(...events);
    this.#dueMs = performance.now() + (pauseMs({ error }, this.#failures++, Math.random()) ?? 0);
    return [];
  }

  #recovered() {
    if (this.#failures) this.#dueMs = performance.now();
    this.#failures = 0;
  }

  /** @param {NewEvent[]} events @param {ErrorDetail} detail */
  #giveBack(events, detail) {
    for (const event of events) {
      try {
        if (this.#options.onRejected) this.#options.onRejected(event, detail);
        else this.#notKept.push(detail);
      } catch (error) {
        console.error("paretail: onRejected failed for the event", event.event_id, error);
      }
    }
    return events;
  }

  /** Wait until something has changed, or for so long. @param {number} [ms] @returns {Promise<void>} */
  #changed(ms) {
    return new Promise((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(resolve, ms);
      this.#wakers.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #notify() {
    for (const wake of this.#wakers.splice(0)) wake();
  }
}
