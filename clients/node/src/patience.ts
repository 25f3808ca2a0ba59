/** How long a call may go on trying. */

import { setTimeout as timer } from 'node:timers/promises';

import type { ServiceError } from '@grpc/grpc-js';

import { milliseconds } from './checking.js';
import { DeadlineExceeded, ServerBusy, ServerUnavailable, type ImpastoError } from './errors.js';
import { clientError } from './mapping.js';
import type { OnLost } from './options.js';

export const DEFAULT_TIMEOUT = 30_000; // ms, tries included

const SHORTEST_PAUSE = 50; // ms, whatever the server asks for: a busy one is not helped by a caller that hammers at it
const FIRST_BACKOFF = 100; // ms; doubled with each try that meets nobody
const LONGEST_BACKOFF = 2_000; // ms
const BREAKS = 3; // connections that may break under a call before it is given up
const LONGEST_TRY = 600_000; // ms; each try has a deadline, also of a call that has none

/** What a call may do to be done. */
export interface Terms {
  /** Milliseconds in all; undefined, for a call that holds on, without limit. */
  timeout: number | undefined;
  /** The name of the job that the call is about. */
  operation?: string | undefined;
  /**
   * Whether a server that is away is waited for. gRPC's own retries, as the channel's service config has them, give it
   * up after a few seconds. A call that turns out to have made a job holds on from then on: sent again with its request
   * id, it takes up the same job.
   */
  holdsOn?: boolean | undefined;
  /** Where to tell of a server that is away. */
  onLost?: OnLost | undefined;
}

/** The time that one call has, over all its tries. */
export class Patience {
  readonly #target: string;
  readonly #timeout: number | undefined;
  readonly #onLost: OnLost | undefined;
  #operation: string | undefined;
  #holdsOn: boolean;
  #backoff = FIRST_BACKOFF;
  #breaksLeft = BREAKS;
  #end = Infinity;

  /** Start the clock. */
  constructor(target: string, terms: Terms) {
    this.#target = target;
    this.#timeout = milliseconds('timeout', terms.timeout);
    this.#operation = terms.operation;
    this.#holdsOn = terms.holdsOn ?? false;
    this.#onLost = terms.onLost;
    this.renew();
  }

  /** Start the clock again. */
  renew(): void {
    this.#end = this.#timeout === undefined ? Infinity : performance.now() + this.#timeout;
  }

  /** The milliseconds that are left, at least 0. */
  get left(): number {
    return Math.max(0, this.#end - performance.now());
  }

  /** When the next try has to be over. */
  get deadline(): Date {
    return new Date(Date.now() + (this.#timeout === undefined ? LONGEST_TRY : this.left));
  }

  /** Note that the server has answered. */
  met(): void {
    this.#backoff = FIRST_BACKOFF;
  }

  /**
   * Return how many milliseconds to wait before the next try, or throw what is made of the error where there is no
   * point in another.
   *
   * @param made the name of the job that the try has made.
   */
  pauseAfter(error: ServiceError, made: string | undefined): number {
    if (made) [this.#operation, this.#holdsOn] = [made, true];
    return this.pauseFor(clientError(error, this.#target, this.#timeout, this.#operation));
  }

  /** Return, or throw, as `pauseAfter` does, when the error has been mapped already. */
  pauseFor(error: ImpastoError): number {
    const late = error instanceof DeadlineExceeded;
    if (late && this.#timeout === undefined) return this.pause();
    const lost = this.#holdsOn && (late || error instanceof ServerUnavailable);
    const pause = lost || this.#breaks(error) ? this.pause() : pauseAskedBy(error);
    if (pause === undefined) throw error;
    if (performance.now() + pause >= this.#end) throw lost && this.#operation ? this.#tooLate(error) : error;
    if (lost) this.#onLost?.(error);
    return pause;
  }

  /** Return how many milliseconds to wait before the next try, longer each time that the server is not met. */
  pause(): number {
    const backoff = this.#backoff;
    this.#backoff = Math.min(2 * backoff, LONGEST_BACKOFF);
    return backoff;
  }

  /** Tell whether the connection broke, and not too often: once an answer has begun, gRPC tries nothing again. */
  #breaks(error: ImpastoError): boolean {
    return error instanceof ServerUnavailable && error.broken && this.#breaksLeft-- > 0;
  }

  #tooLate(error: ImpastoError): DeadlineExceeded {
    const why = error instanceof DeadlineExceeded ? '' : `: ${error.message}`;
    const message = `${this.#operation} was not done within ${this.#timeout} ms, and goes on${why}`;
    return Object.assign(new DeadlineExceeded(message, 'DEADLINE_EXCEEDED', this.#operation), { cause: error });
  }
}

/** Wait, unless the signal is aborted: throws its reason. */
export async function sleep(pause: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await timer(pause, undefined, signal && { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

/** Return how many milliseconds a server asks to wait that is busy, or starts or stops. */
function pauseAskedBy(error: ImpastoError): number | undefined {
  if (!(error instanceof ServerBusy || error instanceof ServerUnavailable)) return undefined;
  return error.retryAfter === undefined ? undefined : Math.max(error.retryAfter, SHORTEST_PAUSE);
}
