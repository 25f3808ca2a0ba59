/** From a gRPC error to one of the client's own, by its status code and its google.rpc details. */

import { fromBinary, type DescMessage, type MessageShape } from '@bufbuild/protobuf';
import { anyUnpack, type Duration } from '@bufbuild/protobuf/wkt';
import { status as codes, type ServiceError } from '@grpc/grpc-js';

import {
  DeadlineExceeded,
  ImpastoError,
  InvalidRequest,
  JobCancelled,
  JobEnded,
  JobFailed,
  JobUnfinished,
  JobUnknown,
  MessageTooLarge,
  PermissionDenied,
  RequestReused,
  ServerBusy,
  ServerFault,
  ServerUnavailable,
  StyleUnknown,
  Unauthenticated,
  Unimplemented,
} from './errors.js';
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RequestInfoSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from './gen/google/rpc/error_details_pb.js';
import { StatusSchema, type Status } from './gen/google/rpc/status_pb.js';

const JOB_TYPE = 'impasto.dev/Stylization';
const SIZE_REFUSED = 'message larger than max'; // how gRPC itself words it, in a status without details
const SIZES = /\(\d+ vs\.? (?<limit>\d+)\)/; // goes on so: of the message, and the most that it may have
// How grpc-js words a connection that broke under a call, or a stream that was reset by a server which ends or by a
// balancer before one; CANCELLED is all that a call is told which reaches a server at the moment that it stops.
const BROKEN = [
  'Connection dropped',
  'Call cancelled',
  'Stream refused',
  'RST_STREAM',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'CANCELLED',
];
const PASSING = new Set(['NOT_READY', 'SHUTTING_DOWN']); // of a server which soon is, or beside which there may be another

/** A failed call. */
export interface Failure {
  code: string;
  text: string;
  /** Its google.rpc details; undefined where there are none. */
  details: Status | undefined;
  /** The server. */
  target: string;
  /** Milliseconds that the call had, tries included. */
  timeout: number | undefined;
  /** The name of the job that it was about, or has made. */
  operation: string | undefined;
}

/** Return what to throw from a gRPC error of a call to `target`. */
export function clientError(
  error: ServiceError,
  target: string,
  timeout: number | undefined,
  operation: string | undefined,
): ImpastoError {
  const failure = { code: name(error.code), text: error.details, details: details(error), target, timeout, operation };
  const mapped = fromFailure(failure);
  mapped.operation = operation;
  if (!failure.details) mapped.cause = error; // with details there is nothing in it that has not been told
  return mapped;
}

/** Return what a status says of one photo of a stream from `target`. */
export function itemError(status: Status, target: string): ImpastoError {
  const failure = { code: name(status.code), text: status.message, details: status, target };
  return fromFailure({ ...failure, timeout: undefined, operation: undefined });
}

/** Return the name of a status code. */
export function name(code: number): string {
  return codes[code] ?? 'UNKNOWN';
}

/** Return the detail of a kind, or undefined. */
export function detail<Desc extends DescMessage>(
  status: Status | undefined,
  schema: Desc,
): MessageShape<Desc> | undefined {
  for (const packed of status?.details ?? []) {
    const message = anyUnpack(packed, schema);
    if (message) return message;
  }
  return undefined;
}

/** Return a duration in milliseconds. */
export function milliseconds(duration: Duration | undefined): number {
  return duration ? Number(duration.seconds) * 1000 + duration.nanos / 1e6 : 0;
}

function fromFailure(failure: Failure): ImpastoError {
  const mapped = (MAKERS[failure.code] ?? unexpected)(failure);
  mapped.reason = reason(failure);
  return mapped;
}

function details(error: ServiceError): Status | undefined {
  const [packed] = error.metadata?.get('grpc-status-details-bin') ?? [];
  if (!(packed instanceof Uint8Array)) return undefined;
  try {
    return fromBinary(StatusSchema, packed);
  } catch {
    return undefined; // something between the server and us has cut them
  }
}

function reason(failure: Failure): string {
  return detail(failure.details, ErrorInfoSchema)?.reason ?? '';
}

function information(failure: Failure, key: string): string {
  return detail(failure.details, ErrorInfoSchema)?.metadata[key] ?? '';
}

function wait(failure: Failure): number | undefined {
  const retry = detail(failure.details, RetryInfoSchema);
  return retry && milliseconds(retry.retryDelay);
}

function isBroken(failure: Failure): boolean {
  return !failure.details?.details.length && BROKEN.some((words) => failure.text.includes(words));
}

function invalid(failure: Failure): ImpastoError {
  const violation = detail(failure.details, BadRequestSchema)?.fieldViolations[0];
  return new InvalidRequest(violation?.field ?? '', violation?.description || failure.text, failure.code);
}

function notFound(failure: Failure): ImpastoError {
  const resource = detail(failure.details, ResourceInfoSchema);
  const ofJob = resource ? resource.resourceType === JOB_TYPE : failure.operation !== undefined;
  if (ofJob) return new JobUnknown(failure.text, failure.code);
  return new StyleUnknown(failure.text, information(failure, 'available').split(',').filter(Boolean));
}

function exhausted(failure: Failure): ImpastoError {
  if (failure.text.includes(SIZE_REFUSED) && !failure.details?.details.length) {
    const limit = SIZES.exec(failure.text)?.groups?.['limit'];
    return new MessageTooLarge(
      `a message is over the limit (${failure.text}); scale the photo down, or ask for a smaller result`,
      limit === undefined ? undefined : Number(limit),
    );
  }
  return new ServerBusy(`${failure.target} is busy: ${failure.text}`, wait(failure));
}

function late(failure: Failure): ImpastoError {
  const within = failure.timeout === undefined ? '' : ` within ${Math.round(failure.timeout)} ms`;
  return new DeadlineExceeded(`no answer from ${failure.target}${within}`, failure.code);
}

function unavailable(failure: Failure): ImpastoError {
  const error = new ServerUnavailable(`${failure.target} is unavailable: ${failure.text}`, 'UNAVAILABLE');
  error.broken = isBroken(failure);
  if (PASSING.has(reason(failure))) error.retryAfter = wait(failure);
  return error;
}

function fault(failure: Failure): ImpastoError {
  if (isBroken(failure)) return unavailable(failure);
  if (reason(failure) === 'JOB_FAILED') return jobFailed(failure);
  const id = detail(failure.details, RequestInfoSchema)?.requestId ?? '';
  return new ServerFault(`${failure.target} failed: ${failure.text}`, failure.code, id);
}

function precondition(failure: Failure): ImpastoError {
  if (reason(failure) === 'JOB_ENDED') return new JobEnded(failure.text, failure.code);
  if (reason(failure) === 'JOB_UNFINISHED') return new JobUnfinished(failure.text, failure.code);
  return failure.operation === undefined ? unexpected(failure) : jobFailed(failure);
}

function cancelled(failure: Failure): ImpastoError {
  if (reason(failure) === 'JOB_CANCELLED') return new JobCancelled(failure.text, failure.code);
  return isBroken(failure) ? unavailable(failure) : unexpected(failure);
}

function jobFailed(failure: Failure): ImpastoError {
  return new JobFailed(failure.operation ?? 'the job', '', failure.text, failure.code);
}

function unexpected(failure: Failure): ImpastoError {
  return new ImpastoError(`${failure.target}: ${failure.code}: ${failure.text}`, failure.code);
}

const MAKERS: Readonly<Record<string, (failure: Failure) => ImpastoError>> = {
  INVALID_ARGUMENT: invalid,
  OUT_OF_RANGE: invalid,
  NOT_FOUND: notFound,
  ALREADY_EXISTS: (failure) => new RequestReused(failure.text),
  UNAUTHENTICATED: (failure) =>
    new Unauthenticated(`${failure.target} does not know who calls: ${failure.text}`, failure.code),
  PERMISSION_DENIED: (failure) =>
    new PermissionDenied(`${failure.target} does not allow this: ${failure.text}`, information(failure, 'role')),
  RESOURCE_EXHAUSTED: exhausted,
  DEADLINE_EXCEEDED: late,
  UNAVAILABLE: unavailable,
  UNIMPLEMENTED: (failure) => new Unimplemented(`${failure.target} cannot do this: ${failure.text}`, failure.code),
  FAILED_PRECONDITION: precondition,
  CANCELLED: cancelled,
  INTERNAL: fault,
  UNKNOWN: fault,
  DATA_LOSS: fault,
};
