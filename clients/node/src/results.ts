/** What the client returns. */

import { milliseconds } from './mapping.js';
import { ImageFormat, type Size as SizeMessage, type Style as StyleMessage } from './gen/impasto/v1/stylizer_pb.js';
import type { StylizeResponse } from './gen/impasto/v1/stylizer_pb.js';

/** A picture's size in pixels. */
export interface Size {
  width: number;
  height: number;
}

/** The file formats that a result can have. */
export type Format = 'jpeg' | 'png' | 'webp';

/** Name -> the proto's number. */
export const FORMATS: Readonly<Record<Format, ImageFormat>> = {
  jpeg: ImageFormat.JPEG,
  png: ImageFormat.PNG,
  webp: ImageFormat.WEBP,
};

/** Where a call's time went on the server, in milliseconds. */
export interface StageTimes {
  /** Reading the photo, and scaling it to the working size. */
  decode: number;
  /** Waiting for the engine; of a job, for a worker. */
  queue: number;
  /** Painting. */
  engine: number;
  /** Scaling to the output size, and writing the result. */
  encode: number;
}

/** A painted photo. */
export interface Stylized {
  /** The bytes of the picture file. */
  image: Buffer;
  format: Format;
  /** `image/jpeg`, `image/png` or `image/webp`. */
  mediaType: string;
  /** Pixels across. */
  width: number;
  /** Pixels down. */
  height: number;
  /** The size that it was painted at. */
  workingSize: Size;
  stageTimes: StageTimes;
  /** What had to be done otherwise than asked for, in words. */
  notes: string[];
}

/** A style that the server paints. */
export interface Style {
  /** The resource name, `bundles/starter/styles/starry-night`. */
  name: string;
  /** What to give to `stylize`: `starter/starry-night`, or `starry-night` alone where that is unambiguous. */
  id: string;
  /** Title, painter and year of the painting; empty where unknown. */
  title: string;
  artist: string;
  year: string;
  /** The version of the bundle that holds it. */
  bundleVersion: string;
  /** SHA-256, in hex; styles can be blended when theirs is the same. */
  transformerDigest: string;
  /** A small JPEG of the painting; empty in a list unless asked for. */
  thumbnail: Buffer;
  /** Markdown; empty in a list. */
  modelCard: string;
}

/** Return bytes as a Buffer, without copying them. */
export function buffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function size(message: SizeMessage | undefined): Size {
  return { width: message?.width ?? 0, height: message?.height ?? 0 };
}

export function format(number: ImageFormat): Format {
  return (Object.keys(FORMATS) as Format[]).find((name) => FORMATS[name] === number) ?? 'jpeg';
}

export function stylized(reply: StylizeResponse): Stylized {
  const times = reply.stageTimes;
  return {
    image: buffer(reply.image),
    format: format(reply.format),
    mediaType: `image/${format(reply.format)}`,
    ...size(reply.size),
    workingSize: size(reply.workingSize),
    stageTimes: {
      decode: milliseconds(times?.decode),
      queue: milliseconds(times?.queue),
      engine: milliseconds(times?.engine),
      encode: milliseconds(times?.encode),
    },
    notes: reply.notes,
  };
}

export function style(message: StyleMessage): Style {
  return {
    name: message.name,
    id: message.styleId,
    title: message.title,
    artist: message.artist,
    year: message.year,
    bundleVersion: message.bundleVersion,
    transformerDigest: message.transformerDigest,
    thumbnail: buffer(message.thumbnail),
    modelCard: message.modelCard,
  };
}
