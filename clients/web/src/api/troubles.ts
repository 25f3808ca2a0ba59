import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../gen/google/rpc/error_details_pb";

/** Something that went wrong, in words for a person. */
export interface Trouble {
  readonly what: string;
  readonly next: string;
  readonly again?: (() => void) | undefined;
}

/** An error of the page's own, which already speaks plainly. */
export class Plain extends Error {
  constructor(
    readonly what: string,
    readonly next: string,
  ) {
    super(`${what} ${next}`);
  }
}

const AWAY = {
  what: "The server does not answer.",
  next: "It may be restarting, or you may be offline. Try again in a moment.",
};

const TOO_LARGE = { what: "Your photo is more than this server takes.", next: "Choose a smaller one." };

const WORDS: Partial<Record<Code, { what: string; next: string }>> = {
  [Code.Unavailable]: AWAY,
  [Code.DeadlineExceeded]: {
    what: "The painting took too long.",
    next: "The server may be busy. Try again in a moment.",
  },
  [Code.Unauthenticated]: { what: "This server wants a valid token.", next: "Enter yours, then try again." },
  [Code.PermissionDenied]: {
    what: "Your token does not allow this.",
    next: "Ask who runs the server for another one.",
  },
  [Code.DataLoss]: { what: "The painting is gone from the server's store.", next: "Paint it again." },
};

/** Returns how to tell of an error. */
export function troubleOf(error: unknown, again?: () => void): Trouble {
  if (error instanceof Plain) return { what: error.what, next: error.next };
  if (error instanceof DOMException || error instanceof RangeError) return { ...browsers(error), again };
  const found = ConnectError.from(error);
  if (isAway(error)) return { ...AWAY, again };
  const [violation] = found.findDetails(BadRequestSchema).flatMap((detail) => detail.fieldViolations);
  if (violation) return refused(violation.field, violation.description);
  if (isTooLarge(found)) return TOO_LARGE;
  if (found.code === Code.ResourceExhausted) return { ...full(found), again };
  return { ...(WORDS[found.code] ?? unexpected(found)), again };
}

/** Whether the server could not be reached at all. */
export function isAway(error: unknown): boolean {
  const found = ConnectError.from(error);
  return found.code === Code.Unavailable || found.cause instanceof TypeError || error instanceof TypeError;
}

/** Whether a call was given up on purpose. */
export function isCancelled(error: unknown): boolean {
  return ConnectError.from(error).code === Code.Canceled;
}

export function hasCode(error: unknown, code: Code): boolean {
  return ConnectError.from(error).code === code;
}

/** Returns the seconds after which the server wants to be asked again, where it said so. */
export function retryDelay(error: unknown): number | undefined {
  const [info] = ConnectError.from(error).findDetails(RetryInfoSchema);
  const delay = info?.retryDelay;
  return delay && Number(delay.seconds) + delay.nanos / 1e9;
}

/** Whether a request has too many bytes; who refuses it before the server reads it says no more than that it is full. */
function isTooLarge(error: ConnectError): boolean {
  if (error.code !== Code.ResourceExhausted) return false;
  return !error.details.length || error.findDetails(ErrorInfoSchema).some(({ reason }) => reason === "REQUEST_TOO_LARGE");
}

/** Returns what a browser could not do, for want of memory or of what it asks for. */
function browsers(error: DOMException | RangeError): { what: string; next: string } {
  const said = error.message.replace(/\.?$/, ".");
  return { what: "This browser could not do that.", next: `It says: ${said} Try again, or a smaller photo.` };
}

function full(error: ConnectError): { what: string; next: string } {
  const seconds = retryDelay(error) ?? 0;
  const when = seconds < 20 ? "in a moment" : seconds < 90 ? "in about a minute" : `in ${Math.round(seconds / 60)} minutes`;
  return { what: "The server has too much to do just now.", next: `Try again ${when}.` };
}

function refused(field: string, why: string): Trouble {
  if (field.startsWith("style_images"))
    return { what: "The server cannot use this painting.", next: `It says: ${why}. Try another file.` };
  if (field.startsWith("mask"))
    return { what: "The server cannot use what you brushed.", next: `It says: ${why}. Clear the brush and try again.` };
  if (field === "image")
    return { what: "The server cannot use this photo.", next: `It says: ${why}. Try another file.` };
  return { what: "The server cannot do this.", next: `It says: ${field}: ${why}.` };
}

function unexpected(error: ConnectError): { what: string; next: string } {
  const said = error.rawMessage.replace(/\.?$/, ".");
  return { what: "Something went wrong on the server.", next: `It says: ${said} Try again, or another photo.` };
}
