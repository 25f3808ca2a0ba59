/** Jobs: a photo painted in the style of paintings that nobody has trained. */

import { create } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';

import { known } from './checking.js';
import type { Connection } from './connection.js';
import { JobCancelled, JobFailed, JobUnfinished } from './errors.js';
import { Download, Watch } from './following.js';
import {
  CancelOperationRequestSchema,
  DeleteOperationRequestSchema,
  GetOperationRequestSchema,
  Operations,
  type Operation,
} from './gen/google/longrunning/operations_pb.js';
import { StylizationSchema } from './gen/impasto/v1/stylizer_pb.js';
import type { CallOptions, WatchOptions } from './options.js';
import type { Patience } from './patience.js';
import type { Stylized } from './results.js';
import { hasEnded, jobData, type JobData, type JobResult } from './states.js';

const { getOperation, cancelOperation, deleteOperation } = Operations.method;
const CALL = ['timeout', 'signal'];

/** What `watch` yields. */
export interface JobUpdate {
  /** The job as it is now. */
  job: Job;
  /** A small JPEG of the picture as it is; empty unless asked for and due. */
  preview: Buffer;
}

export interface Job extends JobData {}

/**
 * A job, as it was when the server was asked. It goes on whatever becomes of this client or of the server: keep its
 * name, and `client.job(name)` finds it again.
 */
export class Job {
  readonly #connection: Connection;
  readonly #timeout: number;

  /** @param timeout milliseconds, the client's. */
  constructor(connection: Connection, timeout: number, data: JobData) {
    this.#connection = connection;
    this.#timeout = timeout;
    Object.assign(this, data);
  }

  /** Whether it changes no more. */
  get hasEnded(): boolean {
    return hasEnded(this.state);
  }

  /**
   * Iterate over the job's states: as it is now, at each change, and last when it has ended.
   *
   * While the server is away, or the connection, it is tried again, so the end is never missed. Leaving the loop leaves
   * the job alone.
   *
   * Throws JobUnknown when it was deleted, and DeadlineExceeded when it had not ended in time.
   */
  watch(options: WatchOptions = {}): AsyncGenerator<JobUpdate, void, undefined> {
    known('options', options, ['previewInterval', 'onLost', ...CALL]);
    const watch = new Watch(this.name, options.previewInterval);
    return this.#updates(watch, this.#holdingOn(options), options.signal);
  }

  /** Return the job once it has ended, in whichever way. */
  async wait(options: Omit<WatchOptions, 'previewInterval'> = {}): Promise<Job> {
    known('options', options, ['onLost', ...CALL]);
    return this.#ended(this.#holdingOn(options), options.signal);
  }

  /**
   * Return what the job has made, once it has ended.
   *
   * Where the connection breaks on the way it goes on with the byte that is due. The stage times are the wait for a
   * worker, `queue`, and the painting, `engine`.
   *
   * Throws JobFailed, JobCancelled or JobUnknown where there is none, and DeadlineExceeded where it had not come in time.
   */
  async result(options: CallOptions & Pick<WatchOptions, 'onLost'> = {}): Promise<Stylized> {
    known('options', options, ['onLost', ...CALL]);
    const patience = this.#holdingOn(options);
    const job = await this.#ended(patience, options.signal);
    const download = new Download(job, job.#made());
    for await (const _ of this.#connection.follow(download, patience, options.signal));
    return download.stylized();
  }

  /** Cancel the job. One that is being painted ends within about a second. Throws JobEnded where it had ended before. */
  async cancel(options: CallOptions = {}): Promise<void> {
    const request = create(CancelOperationRequestSchema, { name: this.name });
    await this.#connection.unary(cancelOperation, request, this.#once(options), options.signal);
  }

  /** Delete all of the job: photo, paintings, previews, result. One that has not ended stops. */
  async delete(options: CallOptions = {}): Promise<void> {
    const request = create(DeleteOperationRequestSchema, { name: this.name });
    await this.#connection.unary(deleteOperation, request, this.#once(options), options.signal);
  }

  /** Return the job as it is now. */
  async refresh(options: CallOptions = {}): Promise<Job> {
    return this.#now(this.#once(options), options.signal);
  }

  async *#updates(
    watch: Watch,
    patience: Patience,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<JobUpdate, void, undefined> {
    for await (const { job, preview } of this.#connection.follow(watch, patience, signal)) {
      yield { job: new Job(this.#connection, this.#timeout, job), preview };
    }
  }

  async #ended(patience: Patience, signal: AbortSignal | undefined): Promise<Job> {
    if (!this.hasEnded) for await (const _ of this.#connection.follow(new Watch(this.name), patience, signal));
    return this.#now(patience, signal);
  }

  async #now(patience: Patience, signal: AbortSignal | undefined): Promise<Job> {
    const request = create(GetOperationRequestSchema, { name: this.name });
    const operation = await this.#connection.unary(getOperation, request, patience, signal);
    return jobFrom(this.#connection, this.#timeout, operation);
  }

  /** What it has made, or why there is nothing, or nothing yet. */
  #made(): JobResult {
    if (this.made) return this.made;
    const { name, state, failure } = this;
    if (state === 'failed') {
      throw new JobFailed(
        name,
        failure?.field ?? '',
        failure?.description ?? 'nobody said why',
        failure?.code ?? 'UNKNOWN',
      );
    }
    if (state === 'cancelled') throw new JobCancelled(`${name} was cancelled`, 'CANCELLED', name);
    throw new JobUnfinished(`${name} is ${state}: it has no result`, 'FAILED_PRECONDITION', name);
  }

  #once(options: CallOptions): Patience {
    known('options', options, CALL);
    return this.#connection.patience({ timeout: options.timeout ?? this.#timeout, operation: this.name });
  }

  #holdingOn({ timeout, onLost }: WatchOptions): Patience {
    return this.#connection.patience({ timeout, onLost, operation: this.name, holdsOn: true });
  }
}

/** Return a job from what the server calls its operation. */
export function jobFrom(connection: Connection, timeout: number, operation: Operation): Job {
  const job = operation.metadata && anyUnpack(operation.metadata, StylizationSchema);
  const error = operation.result.case === 'error' ? operation.result.value : undefined;
  return new Job(connection, timeout, jobData(job, error, operation.name));
}
