// What the client throws: what was found, what was expected, what to do, and a code with a section in docs/errors.md.

/** The base of all of them. */
export class ParetailError extends Error {
  /** @param {import("./types.js").ErrorDetail} detail @param {ErrorOptions} [options] */
  constructor(detail, options) {
    super(`${detail.found}. ${detail.expected}. ${detail.do}. (${detail.code})`, options);
    this.name = this.constructor.name;
    this.detail = detail;
    /** Rows of a batch that were answered before; to send all of them again counts none twice. */
    this.rowsAnswered = 0;
  }
}

/** The service, or what stands before it, answered with an error. */
export class ServiceError extends ParetailError {
  /** @param {number} status @param {import("./types.js").ErrorDetail} detail @param {string | null} requestId */
  constructor(status, detail, requestId) {
    super(detail);
    this.status = status;
    this.requestId = requestId;
  }
}

/** No answer came, however often it was asked for; the work may have been done all the same. */
export class NoAnswerError extends ParetailError {
  /** @param {string} address @param {number} attempts @param {any} cause */
  constructor(address, attempts, cause) {
    const why = cause?.cause?.code ?? cause?.cause?.message ?? cause?.message;
    super(
      {
        code: "CLNT-01",
        found: `no answer from ${address || "the page's own server"} after ${attempts} attempt(s): ${why}`,
        expected: "A service that listens there and answers in time",
        do: "Start it, or correct the address or the timeout",
      },
      { cause },
    );
  }
}

/** The client was called in a way that it does not know. */
export class UsageError extends ParetailError {
  /** @param {string} found @param {string} expected @param {string} todo */
  constructor(found, expected, todo) {
    super({ code: "CLNT-03", found, expected, do: todo });
  }
}

/** An event was not taken in: the queue has no room, or is closed. */
export class QueueFullError extends ParetailError {
  /** @param {string} found @param {string} expected @param {string} todo */
  constructor(found, expected, todo) {
    super({ code: "CLNT-04", found, expected, do: todo });
  }
}

/** Events that a queue took in were not kept by the service, and nobody asked for them back. */
export class NotKeptError extends ParetailError {
  /** @param {number} count @param {import("./types.js").ErrorDetail} first */
  constructor(count, first) {
    super({
      code: "CLNT-05",
      found: `${count} event(s) were not kept (first: ${first.found}, ${first.code})`,
      expected: "Events that the service can keep",
      do: "Give the queue onRejected, which is told each of them",
    });
  }
}

/**
 * Return the error that an answer tells; one that is not of the one shape comes from elsewhere (CLNT-02).
 * @param {{status: number, headers: Headers, text: string}} reply
 */
export function failure({ status, headers, text }) {
  try {
    const { error, request_id: requestId } = JSON.parse(text);
    if (typeof error.code === "string") return new ServiceError(status, error, requestId);
  } catch {
    // told below
  }
  const kind = headers.get("content-type") ?? "no content type";
  const found = `status ${status} with ${kind}: ${JSON.stringify(text.slice(0, 100))}`;
  const todo = "Check the address, and what stands before it";
  const detail = { code: "CLNT-02", found, expected: "An answer of the service", do: todo };
  return new ServiceError(status, detail, headers.get("x-request-id"));
}
