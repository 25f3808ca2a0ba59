/** The client. */

import { create } from '@bufbuild/protobuf';

import { createRequest, streamConfig, stylizeRequest, styleId } from './building.js';
import { DEFAULT_TARGET } from './channel.js';
import { known, milliseconds, shown } from './checking.js';
import { Connection } from './connection.js';
import { InvalidRequest } from './errors.js';
import { Exchange, type StreamResult } from './exchange.js';
import {
  GetOperationRequestSchema,
  ListOperationsRequestSchema,
  Operations,
} from './gen/google/longrunning/operations_pb.js';
import { GetStyleRequestSchema, ListStylesRequestSchema, Stylizer } from './gen/impasto/v1/stylizer_pb.js';
import { Job, jobFrom } from './jobs.js';
import type {
  CallOptions,
  ClientOptions,
  JobOptions,
  Painting,
  StreamOptions,
  StyleLike,
  StylizeOptions,
  TrainedStyle,
} from './options.js';
import { DEFAULT_TIMEOUT } from './patience.js';
import { style, stylized, type Style, type Stylized } from './results.js';
import { OPERATIONS, operationName } from './states.js';
import { streamed, type Photos } from './streaming.js';

const { stylize, listStyles, getStyle, createStylization } = Stylizer.method;
const { getOperation, listOperations } = Operations.method;
const CLIENT = ['timeout', 'token', 'tls', 'ca', 'certificate', 'key', 'insecure'];
const CALL = ['timeout', 'signal'];

/** A connection to an Impasto server. Make it once and keep it: it serves any number of calls at a time. */
export class Client {
  readonly #connection: Connection;
  readonly #timeout: number;

  /**
   * Prepare a connection, which is made with the first call.
   *
   * @param target `host:port`, or another gRPC target such as `dns:///painter.internal:8500`, whose every address is
   *   then used in turn.
   *
   * Throws InvalidRequest where a file cannot be read, or what was given does not go together.
   */
  constructor(target: string = DEFAULT_TARGET, options: ClientOptions = {}) {
    known('options', options, CLIENT);
    this.#timeout = milliseconds('timeout', options.timeout) ?? DEFAULT_TIMEOUT;
    this.#connection = new Connection(target, options);
  }

  /**
   * Have a photo painted.
   *
   * With paintings this is a job, which takes minutes without a GPU, and the job outlives the call: where the time is
   * up, or the connection breaks for good, the error's `operation` is its name. `createJob` does not wait.
   *
   * @param photo the bytes of a JPEG, PNG, WebP, AVIF or HEIC file.
   * @param style a style's id; or a blend, ids and their weights; or paintings that nobody has trained.
   *
   * Throws InvalidRequest where a value is not allowed, StyleUnknown where it is the style, DeadlineExceeded where there
   * is no result in time, and another ImpastoError for anything else.
   */
  async stylize(photo: Uint8Array, style: StyleLike, options: StylizeOptions = {}): Promise<Stylized> {
    const request = stylizeRequest(photo, style, options);
    return stylized(await this.#connection.unary(stylize, request, this.#patience(options), options.signal));
  }

  /**
   * Have photos painted, as many as there are, and iterate over the results.
   *
   * Nothing is asked of `photos` before the first result is asked for, and then no more than the window: however many
   * there are, the memory that they take stays the same. A photo that cannot be painted has an error for its result,
   * and the others go on. Where the connection breaks, photos without an answer are sent again. Leaving the loop ends
   * the stream.
   *
   * @param photos the bytes of picture files, or `{ image: bytes, id, ... }`, whose options win over those given here.
   *
   * Throws, from the iteration, what the server refused the stream with as a whole, DeadlineExceeded or
   * ServerUnavailable where it was silent, or away, for too long, and what `photos` threw, once the results of the
   * photos before have been taken.
   */
  stylizeStream(
    photos: Photos,
    style?: TrainedStyle,
    options: StreamOptions = {},
  ): AsyncGenerator<StreamResult, void, undefined> {
    const config = streamConfig(style, options);
    if (!isPhotos(photos)) {
      throw new InvalidRequest(
        'photos',
        `${shown(photos)} is no row of photos; give an array, a generator or a stream of them`,
      );
    }
    const timeout = milliseconds('timeout', options.timeout) ?? this.#timeout;
    const exchange = new Exchange(this.#connection.target, config, timeout, options.onLost);
    return streamed(this.#connection, exchange, photos, options.signal);
  }

  /** Return every style that the server paints, sorted by name, without model cards. */
  async styles(options: CallOptions & { thumbnails?: boolean } = {}): Promise<Style[]> {
    known('options', options, ['thumbnails', ...CALL]);
    const request = create(ListStylesRequestSchema, { includeThumbnails: options.thumbnails ?? false });
    const patience = this.#patience(options);
    const found: Style[] = [];
    do {
      const page = await this.#connection.unary(listStyles, request, patience, options.signal);
      found.push(...page.styles.map(style));
      request.pageToken = page.nextPageToken;
    } while (request.pageToken);
    return found;
  }

  /** Return one style, by its id or resource name, with thumbnail and model card. Throws StyleUnknown. */
  async style(name: string, options: CallOptions = {}): Promise<Style> {
    known('options', options, CALL);
    const request = create(GetStyleRequestSchema, { name: styleId(name) });
    return style(await this.#connection.unary(getStyle, request, this.#patience(options), options.signal));
  }

  /**
   * Queue a job that paints a photo in the style of paintings that nobody has trained, and return at once.
   *
   * Throws InvalidRequest where a value is not allowed, RequestReused where it is the request id, ServerBusy where the
   * queue is full, and Unimplemented where the server serves no jobs.
   */
  async createJob(
    photo: Uint8Array,
    paintings: Painting | readonly Painting[],
    options: JobOptions = {},
  ): Promise<Job> {
    const request = createRequest(photo, paintings, options);
    const patience = this.#patience(options);
    return this.#job(await this.#connection.unary(createStylization, request, patience, options.signal));
  }

  /** Return a job as it is now, by its name: `operations/5f0c...`, `stylizations/5f0c...`, or the id. Throws JobUnknown. */
  async job(name: string, options: CallOptions = {}): Promise<Job> {
    known('options', options, CALL);
    const operation = operationName(name);
    const request = create(GetOperationRequestSchema, { name: operation });
    const patience = this.#connection.patience({ timeout: options.timeout ?? this.#timeout, operation });
    return this.#job(await this.#connection.unary(getOperation, request, patience, options.signal));
  }

  /**
   * Iterate over the caller's jobs, newest first. They are fetched a page at a time, and the timeout is for each page.
   *
   * @param options.ended only those that have ended, or only those that have not; all by default.
   */
  jobs(options: CallOptions & { ended?: boolean | undefined } = {}): AsyncGenerator<Job, void, undefined> {
    known('options', options, ['ended', ...CALL]);
    return this.#jobs(options);
  }

  /** End the connection, and every call that is still under way. */
  close(): void {
    this.#connection.close();
  }

  async *#jobs(options: CallOptions & { ended?: boolean | undefined }): AsyncGenerator<Job, void, undefined> {
    const filter = options.ended === undefined ? '' : `done=${options.ended}`;
    const request = create(ListOperationsRequestSchema, { name: OPERATIONS, filter });
    do {
      const page = await this.#connection.unary(listOperations, request, this.#patience(options), options.signal);
      for (const operation of page.operations) yield this.#job(operation);
      request.pageToken = page.nextPageToken;
    } while (request.pageToken);
  }

  #job(operation: Parameters<typeof jobFrom>[2]): Job {
    return jobFrom(this.#connection, this.#timeout, operation);
  }

  #patience({ timeout }: CallOptions) {
    return this.#connection.patience({ timeout: timeout ?? this.#timeout });
  }
}

function isPhotos(photos: unknown): photos is Photos {
  if (typeof photos !== 'object' || photos === null || photos instanceof Uint8Array) return false;
  return Symbol.iterator in photos || Symbol.asyncIterator in photos;
}
