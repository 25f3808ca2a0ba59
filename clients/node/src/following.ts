/** What is received in parts, and goes on where a connection broke. */

import { create, type DescMessage, type MessageShape } from '@bufbuild/protobuf';

import { duration } from './building.js';
import type { Method } from './connection.js';
import { ImpastoError } from './errors.js';
import {
  ReadStylizationRequestSchema,
  Stylizer,
  WatchStylizationRequestSchema,
  type ReadStylizationRequest,
  type ReadStylizationRequestSchema as ReadRequest,
  type ReadStylizationResponse,
  type ReadStylizationResponseSchema as ReadResponse,
  type WatchStylizationRequest,
  type WatchStylizationRequestSchema as WatchRequest,
  type WatchStylizationResponse,
  type WatchStylizationResponseSchema as WatchResponse,
} from './gen/impasto/v1/stylizer_pb.js';
import { hasEnded, jobData, type JobData, type JobResult } from './states.js';
import { buffer, type Stylized } from './results.js';

/** A stream that can be opened again. */
export interface Following<Input extends DescMessage, Output extends DescMessage, Item> {
  readonly method: Method<Input, Output>;
  /** What to open it with, now. */
  readonly request: MessageShape<Input>;
  /** Whether all has been received. */
  readonly complete: boolean;
  /** Return what a reply brings. */
  take(reply: MessageShape<Output>): Iterable<Item>;
  /** Note that the server has ended the stream without an error. */
  close(): void;
}

/** A job's state, and a preview if one was asked for and due. */
export interface State {
  job: JobData;
  preview: Buffer;
}

/** A job's states, up to its end. */
export class Watch implements Following<typeof WatchRequest, typeof WatchResponse, State> {
  readonly method = Stylizer.method.watchStylization;
  readonly request: WatchStylizationRequest;
  complete = false;
  #last = '';

  /** @param previewInterval milliseconds; undefined for none. */
  constructor(name: string, previewInterval?: number) {
    this.request = create(WatchStylizationRequestSchema, { name });
    if (previewInterval !== undefined) this.request.previewInterval = duration('previewInterval', previewInterval);
  }

  *take(reply: WatchStylizationResponse): Iterable<State> {
    const job = jobData(reply.stylization);
    const state = JSON.stringify(job);
    if (state !== this.#last || reply.preview.length) yield { job, preview: buffer(reply.preview) };
    this.#last = state;
    this.complete = hasEnded(job.state);
  }

  /** A server that shuts down may end the stream before the job: it is opened again. */
  close(): void {}
}

/** The bytes of a job's result. */
export class Download implements Following<typeof ReadRequest, typeof ReadResponse, never> {
  readonly method = Stylizer.method.readStylization;
  complete = false;
  readonly #job: JobData;
  readonly #made: JobResult;
  readonly #parts: Uint8Array[] = [];
  #received = 0;

  constructor(job: JobData, made: JobResult) {
    this.#job = job;
    this.#made = made;
  }

  get request(): ReadStylizationRequest {
    return create(ReadStylizationRequestSchema, { name: this.#job.name, readOffset: BigInt(this.#received) });
  }

  *take(reply: ReadStylizationResponse): Iterable<never> {
    this.#parts.push(reply.data);
    this.#received += reply.data.length;
    this.complete = this.#received === this.#made.byteCount;
  }

  close(): void {
    this.complete = true;
  }

  /** Return the whole, or throw where it has not the size that the server said. */
  stylized(): Stylized {
    const { byteCount, format, size, workingSize, paintTime } = this.#made;
    if (this.#received !== byteCount) {
      const message = `the result of ${this.#job.name} has ${this.#received} bytes instead of ${byteCount}`;
      throw new ImpastoError(message, 'DATA_LOSS', this.#job.name);
    }
    const { created, started, notes } = this.#job;
    return {
      image: Buffer.concat(this.#parts),
      format,
      mediaType: `image/${format}`,
      ...size,
      workingSize,
      stageTimes: { decode: 0, queue: created && started ? +started - +created : 0, engine: paintTime, encode: 0 },
      notes,
    };
  }
}
