// The client of a paretail service; its types stand in index.d.ts.

export { Client } from "./client.js";
export { NoAnswerError, NotKeptError, ParetailError, QueueFullError, ServiceError, UsageError } from "./errors.js";
export { EventQueue } from "./queue.js";
