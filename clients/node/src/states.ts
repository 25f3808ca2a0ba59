/** What the server tells of a job. */

import { timestampDate, type Timestamp } from '@bufbuild/protobuf/wkt';

import { shown } from './checking.js';
import { InvalidRequest } from './errors.js';
import { BadRequestSchema } from './gen/google/rpc/error_details_pb.js';
import type { Status } from './gen/google/rpc/status_pb.js';
import { Stylization_State, type Stylization } from './gen/impasto/v1/stylizer_pb.js';
import { detail, milliseconds, name as codeName } from './mapping.js';
import { format, size, type Format, type Size } from './results.js';

export const OPERATIONS = 'operations';

export type JobState = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';

const STATES: Readonly<Record<number, JobState>> = {
  [Stylization_State.QUEUED]: 'queued',
  [Stylization_State.RUNNING]: 'running',
  [Stylization_State.SUCCEEDED]: 'succeeded',
  [Stylization_State.FAILED]: 'failed',
  [Stylization_State.CANCELLED]: 'cancelled',
};

/** How far a job is. */
export interface JobProgress {
  /** Steps of the optimiser; 0 while it has not begun. */
  step: number;
  totalSteps: number;
  /** 0 to 1. */
  fraction: number;
  /** What is being painted; it grows from scale to scale. */
  size: Size;
  /** 0 is the photo. */
  contentLoss: number;
  /** 0 is the painting's hand. */
  styleLoss: number;
  /** The weighted sum. */
  totalLoss: number;
  /** Milliseconds; undefined while nobody can tell. */
  timeLeft: number | undefined;
}

/** What a job has made, without its bytes. */
export interface JobResult {
  format: Format;
  size: Size;
  /** The size that it was optimised at. */
  workingSize: Size;
  /** Of the file. */
  byteCount: number;
  /** Milliseconds, without waiting. */
  paintTime: number;
}

/** Why a job failed. */
export interface JobFailure {
  /** The code that a call would have failed with. */
  code: string;
  description: string;
  /** The request's field that is at fault; empty where none is. */
  field: string;
}

/** A job that paints one photo in the style of any painting, as it was when the server was asked. */
export interface JobData {
  /** `operations/5f0c...`. */
  name: string;
  state: JobState;
  /** Who made it: `anonymous` where callers are not told apart. */
  owner: string;
  /** Undefined while that has not happened. */
  created: Date | undefined;
  started: Date | undefined;
  ended: Date | undefined;
  /** When all of it is deleted. */
  expires: Date | undefined;
  progress: JobProgress;
  /** What had to be done otherwise than asked for, in words. */
  notes: string[];
  /** How many times a worker has begun with it, or taken it over. */
  attempts: number;
  /** Of a job that succeeded. */
  made: JobResult | undefined;
  /** Of one that failed; undefined in an update of `watch`, which does not tell it. */
  failure: JobFailure | undefined;
}

/** Tell whether a job in this state changes no more. */
export function hasEnded(state: JobState): boolean {
  return state !== 'queued' && state !== 'running';
}

/** Return what a message says of a job. */
export function jobData(job: Stylization | undefined, error?: Status, operation = job?.name): JobData {
  const state = STATES[job?.state ?? 0] ?? 'queued';
  return {
    name: operationName(operation),
    state,
    owner: job?.owner ?? '',
    created: date(job?.createTime),
    started: date(job?.startTime),
    ended: date(job?.endTime),
    expires: date(job?.expireTime),
    progress: progress(job),
    notes: job?.notes ?? [],
    attempts: job?.attempts ?? 0,
    made: made(job),
    failure: error && state === 'failed' ? failure(error) : undefined,
  };
}

/** Return the name of the operation, from it, from the resource's name, or from the id in them; or refuse it. */
export function operationName(name: unknown): string {
  const [, id] = typeof name === 'string' ? (/^(?:operations\/|stylizations\/)?([^/]+)$/.exec(name) ?? []) : [];
  if (!id) throw new InvalidRequest('name', `${shown(name)} is no job; give its name, such as ${OPERATIONS}/5f0c...`);
  return `${OPERATIONS}/${id}`;
}

function progress(job: Stylization | undefined): JobProgress {
  const now = job?.progress;
  return {
    step: now?.step ?? 0,
    totalSteps: now?.totalSteps ?? 0,
    fraction: now?.totalSteps ? now.step / now.totalSteps : 0,
    size: size(now?.size),
    contentLoss: now?.contentLoss ?? 0,
    styleLoss: now?.styleLoss ?? 0,
    totalLoss: now?.totalLoss ?? 0,
    timeLeft: now?.timeLeft && milliseconds(now.timeLeft),
  };
}

function made(job: Stylization | undefined): JobResult | undefined {
  return (
    job?.result && {
      format: format(job.result.format),
      size: size(job.result.size),
      workingSize: size(job.result.workingSize),
      byteCount: Number(job.result.byteCount),
      paintTime: milliseconds(job.result.paintTime),
    }
  );
}

function failure(error: Status): JobFailure {
  const violation = detail(error, BadRequestSchema)?.fieldViolations[0];
  return {
    code: codeName(error.code),
    description: violation?.description || error.message,
    field: violation?.field ?? '',
  };
}

function date(time: Timestamp | undefined): Date | undefined {
  return time && timestampDate(time);
}
