/** What can be asked of a photo. */

import type { ImpastoError } from './errors.js';
import type { Format } from './results.js';

/** A trained style's id, or a blend: ids and their weights, `{ 'starry-night': 2, 'the-scream': 1 }`. */
export type TrainedStyle = string | Readonly<Record<string, number>>;

/** What to paint a photo as: a style's id, a blend, or paintings that nobody has trained. */
export type StyleLike = TrainedStyle | Painting | readonly Painting[];

/** A painting to take the style from. */
export class Painting {
  /**
   * @param image the bytes of a JPEG, PNG, WebP, AVIF or HEIC file.
   * @param weight its share beside other paintings, 0 or more; weights need not sum to 1.
   */
  constructor(
    readonly image: Uint8Array,
    readonly weight: number = 1,
  ) {}
}

/** Which part of a photo is painted. */
export interface Mask {
  /** The bytes of a grey PNG of the photo's upright size: white is painted, black is kept, grey is in between. */
  image: Uint8Array;
  /** How far the edge is softened, as a share of the photo's long side: 0 to 0.1; 0.005 by default. */
  feather?: number | undefined;
  /** Whether white is what is kept instead, as in a mask of a photo's subject. */
  inverted?: boolean | undefined;
}

/** How a photo is painted; all of it optional. */
export interface PaintOptions {
  /** 0 (the photo) to 1 (all paint, the default). */
  strength?: number | undefined;
  /** Pixels, the long side that the photo is painted at: the smaller, the broader the strokes. */
  workingSize?: number | undefined;
  /** Pixels, of the result; a side that is left out follows from the other, or both from the photo. */
  width?: number | undefined;
  height?: number | undefined;
  /** `jpeg` by default. */
  format?: Format | undefined;
  /** 1 to 100, of a JPEG or WebP result. */
  quality?: number | undefined;
  /** What of the photo's own metadata the result carries: all but the place by default. */
  metadata?: 'none' | 'without_location' | 'all' | undefined;
  /** Which part is painted: a mask, or the bytes of its PNG file. */
  mask?: Uint8Array | Mask | undefined;
}

/** Of every call. */
export interface CallOptions {
  /** Milliseconds that the call may take, tries included, instead of the client's. */
  timeout?: number | undefined;
  /** Ends the call when it is aborted; what is thrown is its reason. */
  signal?: AbortSignal | undefined;
}

/** How to paint from paintings; what is left out is left to the server. */
export interface Optimization {
  /** 1 to 10,000; 100 by default. */
  steps?: number | undefined;
  contentWeight?: number | undefined;
  /** 1e3 to 1e4 subtle, 1e5 to 1e6 balanced, 1e7 to 1e8 heavy; 5e5 by default. */
  styleWeight?: number | undefined;
  tvWeight?: number | undefined;
  contentLayers?: readonly string[] | undefined;
  styleLayers?: readonly string[] | undefined;
  optimizer?: 'auto' | 'lbfgs' | 'adam' | undefined;
  start?: 'photo' | 'noise' | 'fast' | undefined;
  pooling?: 'max' | 'average' | undefined;
  /** The size of the brush strokes, 0.1 to 4; 1 is the painting as large as the photo. */
  styleScale?: number | undefined;
  /** Whose colours: the painting's; the photo's (`luminance`); or a painting's with the photo's palette. */
  color?: 'painting' | 'luminance' | 'histogram' | undefined;
  perception?: 'auto' | 'vgg19' | 'lowrank' | 'compact' | undefined;
  seed?: number | undefined;
}

/** Of a photo that is painted from paintings. */
export interface OptimizeOptions {
  optimization?: Optimization | undefined;
  /** A name for this request, of letters, digits, hyphens and underscores: the same request with it is the same job. */
  requestId?: string | undefined;
}

export interface StylizeOptions extends PaintOptions, OptimizeOptions, CallOptions {}

export interface JobOptions extends StylizeOptions {
  /** -100 to 100; jobs of a higher one go first. */
  priority?: number | undefined;
}

/** Is told of each try that met no server, or lost it, before the next. */
export type OnLost = (error: ImpastoError) => void;

export interface StreamOptions extends PaintOptions, CallOptions {
  /** Whether the results come as the photos came (the default), or as they are done. */
  ordered?: boolean | undefined;
  /** The most photos under way: asked for, and their results not yet taken; 8 by default. */
  window?: number | undefined;
  /** Milliseconds that the server may be silent, or away, while photos wait for it; the client's by default. */
  timeout?: number | undefined;
  onLost?: OnLost | undefined;
}

/** A photo of a stream, with options of its own; what it leaves out is as for the whole stream. */
export interface Photo extends PaintOptions {
  /** The bytes of the file. */
  image: Uint8Array;
  /** What its result is called by; by default its number, from 0, among the photos of the stream. */
  id?: string | undefined;
  style?: TrainedStyle | undefined;
}

/** What a stream takes for a photo. */
export type PhotoLike = Uint8Array | Photo;

export interface WatchOptions {
  /** Milliseconds, at least 200, between previews; without it there are none. */
  previewInterval?: number | undefined;
  /** Milliseconds; as long as it takes by default, and as long as the server is away. */
  timeout?: number | undefined;
  signal?: AbortSignal | undefined;
  onLost?: OnLost | undefined;
}

/** How to connect. */
export interface ClientOptions {
  /** Milliseconds that a call may take, tries included, where it does not say otherwise; 30,000 by default. */
  timeout?: number | undefined;
  /** Tells the server who calls, where it asks. */
  token?: string | undefined;
  /** Whether to connect by TLS, and to trust the certificate authorities that Node knows. */
  tls?: boolean | undefined;
  /** The authorities to trust instead: a PEM file's path, or its content; implies `tls`. */
  ca?: Pem | undefined;
  /** What tells a server who calls that asks for a certificate: PEM files, or their content; imply `tls`. */
  certificate?: Pem | undefined;
  key?: Pem | undefined;
  /** Whether to send the token in plain text also to a target that may be another machine. */
  insecure?: boolean | undefined;
}

/** A PEM file's path, or its content. */
export type Pem = string | URL | Uint8Array;
