/** How a job is to be optimised, as a request says it. */

import { create } from '@bufbuild/protobuf';

import { choice, known, number, shown, whole } from './checking.js';
import { InvalidRequest } from './errors.js';
import {
  OptimizationSchema,
  Optimization_Color as Color,
  Optimization_Optimizer as Optimizer,
  Optimization_Perception as Perception,
  Optimization_Pooling as Pooling,
  Optimization_Start as Start,
  type Optimization as OptimizationMessage,
} from './gen/impasto/v1/stylizer_pb.js';
import type { Optimization } from './options.js';

const OPTIMIZERS = { auto: Optimizer.OPTIMIZER_UNSPECIFIED, lbfgs: Optimizer.LBFGS, adam: Optimizer.ADAM };
const STARTS = { photo: Start.PHOTO, noise: Start.NOISE, fast: Start.FAST };
const POOLINGS = { max: Pooling.MAX, average: Pooling.AVERAGE };
const COLORS = { painting: Color.PAINTING, luminance: Color.LUMINANCE, histogram: Color.HISTOGRAM };
const PERCEPTIONS = {
  auto: Perception.PERCEPTION_UNSPECIFIED,
  vgg19: Perception.VGG19,
  lowrank: Perception.LOWRANK,
  compact: Perception.COMPACT,
};

/** From an option's value to the message's; throws InvalidRequest. */
const READERS: { [Name in keyof Optimization]-?: (field: string, value: unknown) => unknown } = {
  steps: (field, value) => whole(field, value, 1, 10_000),
  contentWeight: (field, value) => number(field, value, 0, 1e6),
  styleWeight: (field, value) => number(field, value, 0, 1e12),
  tvWeight: (field, value) => number(field, value, 0, 1e3),
  contentLayers: layers,
  styleLayers: layers,
  optimizer: (field, value) => choice(field, value, OPTIMIZERS),
  start: (field, value) => choice(field, value, STARTS),
  pooling: (field, value) => choice(field, value, POOLINGS),
  styleScale: (field, value) => number(field, value, 0.1, 4),
  color: (field, value) => choice(field, value, COLORS),
  perception: (field, value) => choice(field, value, PERCEPTIONS),
  seed: (field, value) => whole(field, value, 0),
};

/** Return what a request calls it, or throw InvalidRequest. */
export function optimizationMessage(optimization: Optimization): OptimizationMessage {
  const names = Object.keys(READERS) as (keyof Optimization)[];
  known('optimization', optimization, names);
  const message = create(OptimizationSchema);
  for (const name of names) {
    const value = optimization[name];
    if (value !== undefined) Object.assign(message, { [name]: READERS[name](`optimization.${name}`, value) });
  }
  return message;
}

function layers(field: string, value: unknown): string[] {
  if (!Array.isArray(value) || !value.length || !value.every((layer) => typeof layer === 'string')) {
    throw new InvalidRequest(field, `${shown(value)} is no list of layers; give some such as ['relu4_2']`);
  }
  return value as string[];
}
