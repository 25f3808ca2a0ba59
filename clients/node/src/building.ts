/** Requests, from what a caller gives. What can be told to be wrong without the server is told here. */

import { randomUUID } from 'node:crypto';

import { create } from '@bufbuild/protobuf';
import type { Duration } from '@bufbuild/protobuf/wkt';
import { DurationSchema } from '@bufbuild/protobuf/wkt';

import { bytes, choice, known, milliseconds, number, shown, whole } from './checking.js';
import { InvalidRequest } from './errors.js';
import {
  BlendSchema,
  CreateStylizationRequestSchema,
  MaskSchema,
  MetadataPolicy,
  StyleImagesSchema,
  StylizeRequestSchema,
  StylizeStreamConfigSchema,
  StylizeStreamConfig_Order,
  type Blend,
  type CreateStylizationRequest,
  type Mask as MaskMessage,
  type StyleImages,
  type StylizeRequest,
  type StylizeStreamConfig,
} from './gen/impasto/v1/stylizer_pb.js';
import { optimizationMessage } from './optimizing.js';
import {
  Painting,
  type JobOptions,
  type Mask,
  type PaintOptions,
  type Photo,
  type PhotoLike,
  type StreamOptions,
  type StyleLike,
  type StylizeOptions,
} from './options.js';
import { FORMATS } from './results.js';

const POLICIES = {
  none: MetadataPolicy.NONE,
  without_location: MetadataPolicy.WITHOUT_LOCATION,
  all: MetadataPolicy.ALL,
};
const CALL = ['timeout', 'signal'];
const PAINT = ['strength', 'workingSize', 'width', 'height', 'format', 'quality', 'metadata', 'mask'];
const STYLIZE = [...PAINT, 'optimization', 'requestId', ...CALL];
const REQUEST_ID = /^[A-Za-z0-9_-]{1,64}$/;
const MAX_FEATHER = 0.1; // of the photo's long side
const PNG = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');

export const DEFAULT_WINDOW = 8; // photos

/** Return the request of `Client.stylize`, or throw InvalidRequest. */
export function stylizeRequest(photo: Uint8Array, style: StyleLike, options: StylizeOptions): StylizeRequest {
  known('options', options, STYLIZE);
  const request = create(StylizeRequestSchema, { image: bytes('photo', photo) });
  setStyle(request, style);
  if (request.style.case === 'styleImages') {
    // With an id of its own, a request that is sent again does not make a second job.
    request.requestId = options.requestId === undefined ? randomUUID() : requestId(options.requestId);
    if (options.optimization !== undefined) request.optimization = optimizationMessage(options.optimization);
  } else if (options.optimization !== undefined) {
    throw new InvalidRequest('optimization', 'is for paintings; a trained style is not optimised');
  }
  setOptions(request, options);
  return request;
}

/** Return the request for a job, or throw InvalidRequest. */
export function createRequest(
  photo: Uint8Array,
  paintings: Painting | readonly Painting[],
  options: JobOptions,
): CreateStylizationRequest {
  known('options', options, [...STYLIZE, 'priority']);
  const { priority = 0, ...others } = options;
  const stylize = stylizeRequest(photo, paintings, others);
  if (stylize.style.case !== 'styleImages') {
    throw new InvalidRequest(
      'paintings',
      'a job is painted from paintings; give new Painting(bytes), or several in an array',
    );
  }
  return create(CreateStylizationRequestSchema, { stylize, priority: whole('priority', priority, -100, 100) });
}

/** Return how `Client.stylizeStream` begins, or throw InvalidRequest. */
export function streamConfig(style: StyleLike | undefined, options: StreamOptions): StylizeStreamConfig {
  known('options', options, [...PAINT, 'ordered', 'window', 'onLost', ...CALL]);
  const { ordered = true, window = DEFAULT_WINDOW } = options;
  if (typeof ordered !== 'boolean') throw new InvalidRequest('ordered', `${shown(ordered)} is neither true nor false`);
  const defaults = create(StylizeRequestSchema);
  if (style !== undefined) setTrainedStyle(defaults, style);
  setOptions(defaults, options);
  return create(StylizeStreamConfigSchema, {
    order: ordered ? StylizeStreamConfig_Order.ORDERED : StylizeStreamConfig_Order.AS_COMPLETED,
    window: whole('window', window, 1),
    defaults,
  });
}

/** Return a photo of a stream, or throw InvalidRequest. */
export function asPhoto(photo: PhotoLike): Photo {
  if (photo instanceof Uint8Array) return { image: photo };
  if (typeof photo !== 'object' || photo === null || !('image' in photo)) {
    throw new InvalidRequest(
      'photo',
      `${shown(photo)} is none; give the bytes of a file, or { image: bytes, id: 'name' }`,
    );
  }
  known('photo', photo, ['image', 'id', 'style', ...PAINT]);
  if (photo.id !== undefined && typeof photo.id !== 'string') {
    throw new InvalidRequest('id', `${shown(photo.id)} is no string; give one, or leave it out`);
  }
  return photo;
}

/** Return what a stream with these defaults sends for a photo, or throw InvalidRequest. */
export function itemRequest(photo: Photo, defaults: StylizeRequest | undefined): StylizeRequest {
  const request = create(StylizeRequestSchema, { image: bytes('photo', photo.image) });
  if (photo.style !== undefined) setTrainedStyle(request, photo.style);
  else if (defaults?.style.case === undefined) {
    throw new InvalidRequest('style', "neither the photo nor the stream has one; give an id such as 'starry-night'");
  }
  setOptions(request, photo);
  return request;
}

/** Return the id of a style, or throw InvalidRequest. */
export function styleId(style: unknown): string {
  if (typeof style !== 'string' || !style) {
    throw new InvalidRequest(
      'style',
      `${shown(style)} is no style; give an id such as 'starry-night', a blend such as { 'starry-night': 2, ` +
        "'the-scream': 1 }, or new Painting(bytes)",
    );
  }
  return style;
}

/** Return milliseconds as a message, or throw InvalidRequest. */
export function duration(field: string, value: number): Duration {
  const time = milliseconds(field, value) ?? 0;
  const seconds = Math.floor(time / 1000);
  return create(DurationSchema, { seconds: BigInt(seconds), nanos: Math.round((time - seconds * 1000) * 1e6) });
}

function setStyle(request: StylizeRequest, style: StyleLike): void {
  if (style instanceof Painting || Array.isArray(style)) {
    request.style = { case: 'styleImages', value: styleImages([style].flat() as Painting[]) };
  } else {
    setTrainedStyle(request, style);
  }
}

function setTrainedStyle(request: StylizeRequest, style: StyleLike): void {
  if (style instanceof Painting || Array.isArray(style)) {
    throw new InvalidRequest('style', 'a stream paints trained styles, not paintings; give an id or a blend');
  }
  request.style =
    typeof style === 'object' && style !== null && !((style as unknown) instanceof Uint8Array)
      ? { case: 'blend', value: blend(style as Readonly<Record<string, number>>) }
      : { case: 'styleId', value: styleId(style) };
}

function blend(weights: Readonly<Record<string, number>>): Blend {
  const entries = Object.entries(weights);
  if (!entries.length) throw new InvalidRequest('style', 'the blend is empty; give at least one style and its weight');
  const parts = entries.map(([id, weight]) => ({
    styleId: styleId(id),
    weight: share(weight, `'${id}'`),
  }));
  return create(BlendSchema, { parts });
}

function styleImages(paintings: readonly Painting[]): StyleImages {
  if (!paintings.length) throw new InvalidRequest('style', 'there are no paintings; give at least one');
  const parts = paintings.map((painting, index) => {
    if (!(painting instanceof Painting)) {
      throw new InvalidRequest(
        'style',
        `${shown(painting)} is no painting; give new Painting(bytes), or several in an array`,
      );
    }
    const name = `painting ${index + 1}`;
    if (!(painting.image instanceof Uint8Array) || !painting.image.length) {
      throw new InvalidRequest(
        'style',
        `${name} is empty or no bytes; give those of a JPEG, PNG, WebP, AVIF or HEIC file`,
      );
    }
    return { image: painting.image, weight: share(painting.weight, name) };
  });
  if (!parts.some((part) => part.weight > 0)) {
    throw new InvalidRequest('style', "the paintings' weights are all 0; give one of them a share");
  }
  return create(StyleImagesSchema, { parts });
}

function share(weight: unknown, whose: string): number {
  if (typeof weight !== 'number' || !(weight >= 0) || weight === Infinity) {
    throw new InvalidRequest('style', `${shown(weight)} is no weight for ${whose}; give 0 or more`);
  }
  return weight;
}

function setOptions(request: StylizeRequest, options: PaintOptions): void {
  const { strength, workingSize, width, height, format, quality, metadata, mask } = options;
  if (strength !== undefined) request.strength = number('strength', strength, 0, 1);
  if (workingSize !== undefined) request.workingSize = whole('workingSize', workingSize, 1, undefined, ' px');
  if (width !== undefined || height !== undefined) {
    request.outputSize = { $typeName: 'impasto.v1.Size' };
    if (width !== undefined) request.outputSize.width = whole('width', width, 1, undefined, ' px');
    if (height !== undefined) request.outputSize.height = whole('height', height, 1, undefined, ' px');
  }
  if (format !== undefined) request.format = choice('format', format, FORMATS);
  if (quality !== undefined) request.quality = whole('quality', quality, 1, 100);
  if (metadata !== undefined) request.metadata = choice('metadata', metadata, POLICIES);
  if (mask !== undefined) request.mask = maskMessage(mask);
}

function maskMessage(mask: Uint8Array | Mask): MaskMessage {
  if (mask instanceof Uint8Array) return maskMessage({ image: mask });
  known('mask', mask, ['image', 'feather', 'inverted']);
  const image = bytes('mask', mask.image, 'a PNG file');
  if (!PNG.equals(image.subarray(0, PNG.length))) {
    throw new InvalidRequest('mask', "is no PNG file; save it as a grey PNG of the photo's size");
  }
  const message = create(MaskSchema, { image });
  if (mask.feather !== undefined) message.feather = number('mask.feather', mask.feather, 0, MAX_FEATHER);
  if (mask.inverted !== undefined) {
    if (typeof mask.inverted !== 'boolean') {
      throw new InvalidRequest('mask.inverted', `${shown(mask.inverted)} is neither true nor false`);
    }
    message.inverted = mask.inverted;
  }
  return message;
}

function requestId(id: unknown): string {
  if (typeof id !== 'string' || !REQUEST_ID.test(id)) {
    throw new InvalidRequest('requestId', `${shown(id)} is none; give 1 to 64 letters, digits, hyphens, underscores`);
  }
  return id;
}
