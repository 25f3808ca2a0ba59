/**
 * What a stream of photos has under way.
 *
 * Photos come from the caller, one at a time, and are held until their results have been given to the caller: never more
 * than the window. A line is one call of the server's StylizeStream. When it breaks, the next one is given the photos
 * that have no answer, in their order; so none is lost, and none comes twice.
 */

import { create, toBinary } from '@bufbuild/protobuf';
import type { ServiceError } from '@grpc/grpc-js';

import { asPhoto, itemRequest } from './building.js';
import { DeadlineExceeded, InvalidRequest, MessageTooLarge, ServerUnavailable, type ImpastoError } from './errors.js';
import {
  StylizeStreamConfig_Order,
  StylizeStreamRequestSchema,
  type StylizeStreamConfig,
  type StylizeStreamRequest,
  type StylizeStreamResponse,
} from './gen/impasto/v1/stylizer_pb.js';
import { clientError, itemError } from './mapping.js';
import type { OnLost, PhotoLike } from './options.js';
import { Patience } from './patience.js';
import { stylized, type Stylized } from './results.js';

/** What became of one photo of a stream: a painted photo, or why there is none. */
export type StreamResult =
  { id: string; stylized: Stylized; error?: undefined } | { id: string; stylized?: undefined; error: ImpastoError };

/** A photo that has been taken from the caller, and its result not yet given back. */
interface Held {
  /** What the caller calls it. */
  id: string;
  /** What to send, while there is no result. */
  message?: StylizeStreamRequest | undefined;
  result?: StreamResult;
}

/** The photos under way, and where each of them is. */
export class Exchange {
  readonly opening: StylizeStreamRequest;
  closed = false;
  readonly #target: string;
  readonly #config: StylizeStreamConfig;
  readonly #ordered: boolean;
  readonly #timeout: number;
  readonly #patience: Patience;
  readonly #held = new Map<string, Held>(); // by number: the caller's ids may not be unique
  #count = 0;
  #waiting = 0; // held without a result
  #line = 0;
  #unsent: string[] = []; // on this line
  #wary = false;
  #ended = false;
  #sourceError: { error: unknown } | undefined;
  #failure: { error: unknown } | undefined;

  /** @param timeout milliseconds that the server may be silent while photos wait for it. */
  constructor(target: string, config: StylizeStreamConfig, timeout: number, onLost: OnLost | undefined) {
    this.opening = create(StylizeStreamRequestSchema, { content: { case: 'config', value: config } });
    this.#target = target;
    this.#config = config;
    this.#ordered = config.order === StylizeStreamConfig_Order.ORDERED;
    this.#timeout = timeout;
    this.#patience = new Patience(target, { timeout, onLost, holdsOn: true });
  }

  // The caller's photos

  get hasRoom(): boolean {
    return this.#held.size < this.#config.window;
  }

  /** Take a photo, or refuse it with a result that says why. */
  add(photo: PhotoLike): void {
    const number = String(this.#count++);
    const held: Held = { id: number };
    this.#held.set(number, held);
    try {
      const whole = asPhoto(photo);
      held.id = whole.id ?? number;
      const request = itemRequest(whole, this.#config.defaults);
      held.message = create(StylizeStreamRequestSchema, { content: { case: 'item', value: item(number, request) } });
    } catch (error) {
      if (!(error instanceof InvalidRequest)) throw error;
      held.result = { id: held.id, error };
      return;
    }
    if (!this.#waiting) this.#patience.renew();
    this.#waiting += 1;
    this.#unsent.push(number);
  }

  /** Note that there are no more photos, or that asking for the next threw an error. */
  end(sourceError?: { error: unknown }): void {
    this.#ended = true;
    this.#sourceError = sourceError;
  }

  // The server's lines

  /** Whether there are photos without a result. */
  get waits(): boolean {
    return this.#waiting > 0;
  }

  /** Whether no photo will need the server any more. */
  get over(): boolean {
    return this.closed || this.#failure !== undefined || (this.#ended && !this.#waiting);
  }

  /** Begin a line, and return its number; what was the line is none any more. */
  begin(): number {
    this.#unsent = [...this.#held].filter(([, held]) => held.message).map(([number]) => number);
    return ++this.#line;
  }

  /** Whether `outgoing` has something to tell. */
  canGoOn(line: number): boolean {
    if (this.closed || line !== this.#line) return true;
    if (!this.#unsent.length) return this.#ended;
    // After a loss, one photo at a time until there is an answer: so it is told, if a photo was to blame for it.
    return !this.#wary || this.#waiting === this.#unsent.length;
  }

  /** Return what to send next on a line; undefined where nothing will follow. */
  outgoing(line: number): StylizeStreamRequest | undefined {
    if (this.closed || line !== this.#line) return undefined;
    const number = this.#unsent.shift();
    return number === undefined ? undefined : this.#held.get(number)?.message;
  }

  /** Note an answer. Throws ServerUnavailable where it is that the server stops, which is none. */
  take({ id, result }: StylizeStreamResponse): void {
    const held = this.#held.get(id);
    if (!held?.message) return;
    if (result.case === 'response') {
      this.#settle(held, { id: held.id, stylized: stylized(result.value) });
    } else if (result.case === 'error') {
      const error = itemError(result.value, this.#target);
      if (error instanceof ServerUnavailable) throw error;
      this.#settle(held, { id: held.id, error });
    }
    this.#wary = false;
    this.#patience.met();
    this.#patience.renew();
  }

  /** Note that a line has ended; return how many milliseconds to wait before the next, or throw if none is of use. */
  lost(error: ServiceError | ServerUnavailable | undefined): number {
    this.#line += 1;
    this.#wary = true;
    if (this.over || !this.#waiting) return 0;
    if (error === undefined) return this.#patience.pause(); // a server that stops may end it in good order
    const mapped =
      error instanceof ServerUnavailable ? error : clientError(error, this.#target, this.#timeout, undefined);
    if (mapped instanceof MessageTooLarge && this.#giveUpLarge(mapped)) return 0;
    return this.#patience.pauseFor(mapped);
  }

  /** Give up: with what is left of the photos nothing can be done. */
  fail(error: unknown): void {
    this.#failure ??= { error };
  }

  // The caller's results

  /** Return a result that the caller can have now, which makes room for a photo. */
  pop(): StreamResult | undefined {
    for (const [number, { result }] of this.#held) {
      if (result) {
        this.#held.delete(number);
        return result;
      }
      if (this.#ordered) return undefined;
    }
    return undefined;
  }

  /** Whether the caller has had every result. Throws what ended the photos, or the stream, before its end. */
  get finished(): boolean {
    if (this.#failure) throw this.#failure.error;
    if (this.#waiting && this.#patience.left === 0) {
      throw new DeadlineExceeded(`no answer from ${this.#target} within ${this.#timeout} ms`, 'DEADLINE_EXCEEDED');
    }
    if (this.#held.size || !this.#ended) return false;
    if (this.#sourceError) throw this.#sourceError.error;
    return true;
  }

  /** Milliseconds until the server will have been silent for too long; undefined while nothing waits for it. */
  get timeLeft(): number | undefined {
    return this.#waiting ? this.#patience.left : undefined;
  }

  #settle(held: Held, result: StreamResult): void {
    held.message = undefined;
    held.result = result;
    this.#waiting -= 1;
  }

  /** Give up the photos that no server with this limit takes; return whether there were any. */
  #giveUpLarge(error: MessageTooLarge): boolean {
    const { limit = Infinity } = error;
    const large = [...this.#held.values()].filter(({ message }) => message && byteCount(message) > limit);
    for (const held of large) this.#settle(held, { id: held.id, error });
    return large.length > 0;
  }
}

function item(id: string, request: ReturnType<typeof itemRequest>) {
  return { $typeName: 'impasto.v1.StylizeStreamItem' as const, id, request };
}

function byteCount(message: StylizeStreamRequest): number {
  return toBinary(StylizeStreamRequestSchema, message).length;
}
