/**
 * Every error that the client throws.
 *
 *     ImpastoError                `code`; `reason`; `operation`, the job's name; `cause`, where the transport failed
 *     ├── InvalidRequest          a value that is not allowed: `field`, `description`; found here or by the server
 *     │   ├── StyleUnknown        the server has no such style: `available`
 *     │   ├── RequestReused       the request id belongs to another request
 *     │   └── MessageTooLarge     the transport refused the photo, or the reply, for its size: `limit`
 *     ├── JobError                a job that has not what was asked of it
 *     │   ├── JobUnknown          there is none of that name, or no longer
 *     │   ├── JobUnfinished       it has no result yet
 *     │   ├── JobEnded            it has ended, and cannot be cancelled any more
 *     │   ├── JobFailed           it could not be done: `field`, `description`
 *     │   └── JobCancelled        it was cancelled before it was done
 *     ├── Unauthenticated         the server does not know who calls: no token or certificate, or none that is valid
 *     ├── PermissionDenied        it knows, and the caller may not do this: `role`
 *     ├── ServerBusy              too much to do: `retryAfter`
 *     ├── DeadlineExceeded        no answer, or no end of a job, in time; a job goes on all the same
 *     ├── ServerUnavailable       nobody listens, or the connection broke, and trying again did not help: `retryAfter`
 *     ├── Unimplemented           the server is older than this client, or was not given this ability
 *     ├── ServerFault             the server failed: `id` finds the story in its log
 *     └── ClientClosed            `close` was called
 *
 * Any other status, such as one that a proxy made, is an ImpastoError itself. A call whose `signal` was aborted throws
 * what `signal.reason` is, as `fetch` does.
 */

/** The name of a gRPC status code: `NOT_FOUND`. */
export type Code = string;

/** The root of all errors that the client throws. */
export class ImpastoError extends Error {
  /** The call's status; INVALID_ARGUMENT where a value was refused before any call. */
  readonly code: Code;
  /** The server's word for what happened, such as `STYLE_NOT_FOUND`; empty where it gave none. */
  reason = '';
  /** The name of the job that the call was about, or had made before it failed. */
  operation: string | undefined;

  constructor(message: string, code: Code, operation?: string) {
    super(message);
    this.name = new.target.name;
    this.code = code;
    this.operation = operation;
  }
}

/** A value is not allowed. */
export class InvalidRequest extends ImpastoError {
  /** The client's option, or the request's field as the server calls it; empty where nobody said. */
  readonly field: string;
  /** What was given, what is allowed. */
  readonly description: string;

  constructor(field: string, description: string, code: Code = 'INVALID_ARGUMENT') {
    super(field ? `${field}: ${description}` : description, code);
    this.field = field;
    this.description = description;
  }
}

/** The server has no such style. */
export class StyleUnknown extends InvalidRequest {
  /** The ids that it has, sorted; empty where it did not say. */
  readonly available: readonly string[];

  constructor(description: string, available: readonly string[]) {
    super('style', description, 'NOT_FOUND');
    this.available = [...available].sort();
  }
}

/** The request id was used before, for another request. */
export class RequestReused extends InvalidRequest {
  constructor(description: string) {
    super('requestId', description, 'ALREADY_EXISTS');
  }
}

/** The server's transport refused the request for its size, or this one's the reply. */
export class MessageTooLarge extends InvalidRequest {
  /** Bytes that a message may have; undefined where nobody said. */
  readonly limit: number | undefined;

  constructor(description: string, limit: number | undefined) {
    super('photo', description, 'RESOURCE_EXHAUSTED');
    this.limit = limit;
  }
}

/** A job, `operation`, has not what was asked of it. */
export class JobError extends ImpastoError {}

/** There is no job of that name: it never was, was deleted, or its time to be kept is over. */
export class JobUnknown extends JobError {}

/** The job has no result yet. */
export class JobUnfinished extends JobError {}

/** The job has ended, and cannot be cancelled any more. */
export class JobEnded extends JobError {}

/** The job could not be done. */
export class JobFailed extends JobError {
  /** The request's field that is at fault; empty where none is. */
  readonly field: string;
  /** Why. */
  readonly description: string;

  constructor(operation: string, field: string, description: string, code: Code) {
    super(`${operation} failed: ${field ? `${field}: ` : ''}${description}`, code, operation);
    this.field = field;
    this.description = description;
  }
}

/** The job was cancelled before it was done. */
export class JobCancelled extends JobError {}

/** The server does not know who calls: there was no token and no certificate, or none that is valid. */
export class Unauthenticated extends ImpastoError {}

/** The caller may not do this. */
export class PermissionDenied extends ImpastoError {
  /** The role that it would need; empty where the server did not say. */
  readonly role: string;

  constructor(message: string, role: string) {
    super(message, 'PERMISSION_DENIED');
    this.role = role;
  }
}

/** The server has too much to do. */
export class ServerBusy extends ImpastoError {
  /** Milliseconds that it asks to wait before the next try; undefined where it does not say. */
  readonly retryAfter: number | undefined;

  constructor(message: string, retryAfter: number | undefined) {
    super(message, 'RESOURCE_EXHAUSTED');
    this.retryAfter = retryAfter;
  }
}

/**
 * The answer, or the end of a job, did not come in time. Where `operation` is set that job goes on:
 * `client.job(operation)` finds it.
 */
export class DeadlineExceeded extends ImpastoError {}

/** The server cannot be reached, or is shutting down. */
export class ServerUnavailable extends ImpastoError {
  /** Milliseconds that a server which starts or stops asks to wait before the next try. */
  retryAfter: number | undefined;
  /** Whether there was a connection, and it broke. */
  broken = false;
}

/** The server cannot do this. */
export class Unimplemented extends ImpastoError {}

/** The server failed, and logged why. */
export class ServerFault extends ImpastoError {
  /** What its log calls this failure; empty where it did not say. */
  readonly id: string;

  constructor(message: string, code: Code, id: string) {
    super(message, code);
    this.id = id;
  }
}

/** The client was closed before, or while, the call was made. */
export class ClientClosed extends ImpastoError {
  constructor() {
    super('the client is closed; make another', 'CANCELLED');
  }
}
