/** Streams of photos: three loops, one that asks for photos, one that talks with the server, one for the caller. */

import { once } from 'node:events';

import type { ClientDuplexStream } from '@grpc/grpc-js';

import { isServiceError, type Connection } from './connection.js';
import { ServerUnavailable } from './errors.js';
import type { Exchange, StreamResult } from './exchange.js';
import { Stylizer, type StylizeStreamRequest, type StylizeStreamResponse } from './gen/impasto/v1/stylizer_pb.js';
import type { PhotoLike } from './options.js';

const LONGEST_TIMER = 2 ** 31 - 1; // ms, that Node's can be set to

/** Photos, as many as there are, there already or yet to come. */
export type Photos = Iterable<PhotoLike> | AsyncIterable<PhotoLike>;

type Call = ClientDuplexStream<StylizeStreamRequest, StylizeStreamResponse>;

/** Yield the results of photos. Nothing is asked of them before the first result is. */
export async function* streamed(
  connection: Connection,
  exchange: Exchange,
  photos: Photos,
  signal: AbortSignal | undefined,
): AsyncGenerator<StreamResult, void, undefined> {
  signal?.throwIfAborted();
  const stream = new Stream(connection, exchange, photos, signal);
  yield* stream.results();
}

/** Wakes whoever waits for something to change. */
class Changes {
  readonly #waiters = new Set<() => void>();

  /** Wake all. */
  readonly tell = (): void => {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const wake of waiters) wake();
  };

  /** Wait for a change, or so many milliseconds. */
  async one(timeout?: number): Promise<void> {
    let clock: NodeJS.Timeout | undefined;
    await new Promise<void>((wake) => {
      this.#waiters.add(wake);
      if (timeout !== undefined) clock = setTimeout(this.tell, Math.min(Math.ceil(timeout), LONGEST_TIMER));
    });
    clearTimeout(clock);
  }

  /** Wait until a condition holds. */
  async until(condition: () => boolean, timeout?: number): Promise<void> {
    const end = timeout === undefined ? undefined : performance.now() + timeout;
    while (!condition() && (end === undefined || performance.now() < end)) {
      await this.one(end === undefined ? undefined : end - performance.now());
    }
  }
}

/** One stream, whose loops end with it. */
class Stream {
  readonly #connection: Connection;
  readonly #exchange: Exchange;
  readonly #photos: Photos;
  readonly #signal: AbortSignal | undefined;
  readonly #changes = new Changes();
  #call: Call | undefined;

  constructor(connection: Connection, exchange: Exchange, photos: Photos, signal: AbortSignal | undefined) {
    this.#connection = connection;
    this.#exchange = exchange;
    this.#photos = photos;
    this.#signal = signal;
  }

  async *results(): AsyncGenerator<StreamResult, void, undefined> {
    this.#signal?.addEventListener('abort', this.#changes.tell, { once: true });
    void this.#feed();
    const talking = this.#talk();
    try {
      for (let result = await this.#next(); result; result = await this.#next()) yield result;
    } finally {
      this.#signal?.removeEventListener('abort', this.#changes.tell);
      this.#exchange.closed = true;
      this.#changes.tell();
      this.#call?.cancel();
      await talking;
    }
  }

  async #next(): Promise<StreamResult | undefined> {
    for (;;) {
      this.#signal?.throwIfAborted();
      const result = this.#exchange.pop();
      if (result) {
        this.#changes.tell();
        return result;
      }
      if (this.#exchange.finished) return undefined;
      await this.#changes.one(this.#exchange.timeLeft);
    }
  }

  /** Take photos as there is room for them. */
  async #feed(): Promise<void> {
    const exchange = this.#exchange;
    try {
      const photos = iterator(this.#photos);
      for (;;) {
        await this.#changes.until(() => exchange.hasRoom || exchange.over);
        if (exchange.over) return await leave(photos);
        const { done, value } = await photos.next();
        if (done) break;
        if (exchange.over) return await leave(photos);
        exchange.add(value);
        this.#changes.tell();
      }
      exchange.end();
    } catch (error) {
      exchange.end({ error });
    } finally {
      this.#changes.tell();
    }
  }

  /** Keep a line to the server while there is something to say. */
  async #talk(): Promise<void> {
    const exchange = this.#exchange;
    try {
      for (;;) {
        await this.#changes.until(() => exchange.waits || exchange.over);
        if (exchange.over) return;
        await this.#runLine();
      }
    } catch (error) {
      exchange.fail(error);
      this.#changes.tell();
    }
  }

  /** Send photos and take answers until the line ends, and wait as long as it is right before the next. */
  async #runLine(): Promise<void> {
    const exchange = this.#exchange;
    const { call, leave: left } = this.#connection.bidi(Stylizer.method.stylizeStream, this.#signal);
    this.#call = call;
    call.on('error', () => undefined); // whoever reads is told; what comes after that concerns nobody
    const ended = once(call, 'close').catch(() => undefined);
    const sending = this.#send(call, exchange.begin(), ended);
    let lost: Parameters<Exchange['lost']>[0];
    try {
      for await (const response of call) {
        exchange.take(response as StylizeStreamResponse);
        this.#changes.tell();
      }
    } catch (error) {
      this.#connection.refuse(this.#signal);
      if (!isServiceError(error) && !(error instanceof ServerUnavailable)) throw error;
      lost = error;
    } finally {
      left();
      call.cancel();
      call.destroy();
    }
    const pause = exchange.lost(lost);
    this.#changes.tell();
    await sending;
    await this.#changes.until(() => exchange.closed, pause);
  }

  async #send(call: Call, line: number, ended: Promise<unknown>): Promise<void> {
    const exchange = this.#exchange;
    for (let message: StylizeStreamRequest | undefined = exchange.opening; message;) {
      const sent = message;
      // The next one is written when gRPC has taken this one, so the server's reading sets the pace.
      await Promise.race([ended, new Promise<void>((done) => call.write(sent, () => done()))]);
      await this.#changes.until(() => exchange.canGoOn(line));
      message = exchange.outgoing(line);
    }
    call.end();
  }
}

function iterator(photos: Photos): Iterator<PhotoLike> | AsyncIterator<PhotoLike> {
  return Symbol.asyncIterator in photos ? photos[Symbol.asyncIterator]() : photos[Symbol.iterator]();
}

/** Tell photos that no more of them are wanted. */
async function leave(photos: Iterator<PhotoLike> | AsyncIterator<PhotoLike>): Promise<void> {
  await photos.return?.();
}
