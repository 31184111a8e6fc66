// The types of the client. Those of the bodies stand in types.d.ts, which is made from the OpenAPI document.

import type { Endpoints, ErrorDetail, NewEvent } from "./types.js";

export * from "./types.js";

export interface ClientOptions {
  /** An API key of the service; a page must not hold one. */
  key?: string;
  /** Milliseconds that one attempt may take. By default 10,000. */
  timeoutMs?: number;
  /** How often an attempt that failed for now is made again. By default 3. */
  retries?: number;
}

export interface Client extends Endpoints {}

/**
 * Asks the service. No connection, no answer in time, and status 429, 502, 503 or 504 are asked again, as the same
 * request, so that it counts once; any other error is thrown at once, as a ServiceError.
 */
export class Client {
  /** `address`: such as `http://127.0.0.1:8000`; in a page also a path of its own server. Throws UsageError. */
  constructor(address: string, options?: ClientOptions);
}

export interface QueueOptions {
  /** How many events are sent at once. By default 500. */
  size?: number;
  /** How long an event waits for others at most. By default 1. */
  seconds?: number;
  /** How many events may wait. By default 10,000. */
  limit?: number;
  /** Is told each event that was not kept, and why. */
  onRejected?: (event: NewEvent, error: ErrorDetail) => void;
}

/**
 * Gathers events and sends them when `size` wait or the oldest has waited for `seconds`, in their order. While no
 * answer comes they wait and are sent again. Without `onRejected`, `close` throws NotKeptError for events that were not kept.
 */
export class EventQueue {
  constructor(client: Pick<Endpoints, "events">, options?: QueueOptions);
  /** Takes in a copy, with an `event_id` and, where it has none, the time of now. Throws QueueFullError. */
  put(event: NewEvent): void;
  /** Sends what waits now, and waits until it is known what became of it. */
  flush(): Promise<void>;
  /** Sends what waits and stops; events that get no answer now are told to `onRejected` too. */
  close(): Promise<void>;
}

/** The base of the errors; `detail` says what was found, what was expected and what to do. */
export class ParetailError extends Error {
  readonly detail: ErrorDetail;
  /** Rows of a batch that were answered before; to send all of them again counts none twice. */
  readonly rowsAnswered: number;
  constructor(detail: ErrorDetail, options?: { cause?: unknown });
}

/** The service, or what stands before it, answered with an error. */
export class ServiceError extends ParetailError {
  readonly status: number;
  readonly requestId: string | null;
  constructor(status: number, detail: ErrorDetail, requestId: string | null);
}

/** No answer came, however often it was asked for; the work may have been done all the same. */
export class NoAnswerError extends ParetailError {}

/** The client was called in a way that it does not know. */
export class UsageError extends ParetailError {}

/** An event was not taken in: the queue has no room, or is closed. */
export class QueueFullError extends ParetailError {}

/** Events that a queue took in were not kept by the service, and nobody asked for them back. */
export class NotKeptError extends ParetailError {}
