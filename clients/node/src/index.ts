/**
 * What a back end installs to have photos painted by an Impasto server.
 *
 *     import { Client } from 'impasto-client';
 *
 *     const client = new Client('painter.internal:8500', { tls: true, token });
 *     const { image } = await client.stylize(photo, 'starry-night', { strength: 0.8 });
 *
 * All times are milliseconds. Everything that goes wrong is an ImpastoError; the tree of them is in `errors`.
 */

export { DEFAULT_TARGET } from './channel.js';
export { Client } from './client.js';
export * from './errors.js';
export type { StreamResult } from './exchange.js';
export { Job, type JobUpdate } from './jobs.js';
export {
  Painting,
  type CallOptions,
  type ClientOptions,
  type JobOptions,
  type Mask,
  type OnLost,
  type Optimization,
  type PaintOptions,
  type Pem,
  type Photo,
  type PhotoLike,
  type StreamOptions,
  type StyleLike,
  type StylizeOptions,
  type TrainedStyle,
  type WatchOptions,
} from './options.js';
export { DEFAULT_TIMEOUT } from './patience.js';
export type { Format, Size, StageTimes, Style, Stylized } from './results.js';
export type { JobData, JobFailure, JobProgress, JobResult, JobState } from './states.js';
export type { Photos } from './streaming.js';
