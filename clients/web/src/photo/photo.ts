import { ImageFormat } from "../gen/impasto/v1/stylizer_pb";
import { stylizer } from "../api/client";
import type { Facts } from "../api/facts";
import { patiently } from "../api/patience";
import { Plain } from "../api/troubles";
import { kindOf } from "./kinds";
import { bytesOf, decode, drawn, encode, fit, scaled, type Size, sizeOf, square } from "./pictures";

const PREVIEW_SIDE = 1440; // px, the long side of what the page shows
const THUMB_SIDE = 256; // px
const MOST_REWRITTEN = 16_777_216; // pixels, what a canvas can hold in every browser
const MOST_BESIDE = 2 * 2 ** 20; // bytes of a message for what is beside the photo: a painting, what was brushed
const LEAST_SIDE = 16; // px, below which a photo is not made smaller

/** A photo, ready to be painted. Sizes are upright. */
export interface Photo {
  readonly name: string;
  /** The file to paint in full size. */
  readonly full: Uint8Array<ArrayBuffer>;
  readonly size: Size;
  /** What is shown, and painted to be shown. */
  readonly preview: HTMLCanvasElement;
  readonly previewFile: Uint8Array<ArrayBuffer>;
  /** A square of it, painted for the gallery. */
  readonly thumbFile: Uint8Array<ArrayBuffer>;
  /** What had to be done to it, in words; or "". */
  readonly note: string;
}

/** Makes a file ready. Throws Plain where it cannot be used. */
export async function openPhoto(file: File, facts: Facts, style: string): Promise<Photo> {
  const kind = await kindOf(file);
  const { image, source } = await readByBrowser(file, kind, facts, style);
  const size = sizeOf(image);
  const keep = source === file ? facts.formats.includes(kind) : true;
  const sent = await withinLimits(source, image, facts, keep);
  if (!sent) throw neverSmallEnough(file);
  const preview = drawn(image, fit(sent.size, PREVIEW_SIDE));
  return {
    name: file.name.replace(/\.[^.]*$/, "") || "photo",
    full: await bytesOf(sent.blob),
    size: sent.size,
    preview,
    previewFile: await bytesOf(await encode(preview, "image/jpeg")),
    thumbFile: await bytesOf(await encode(square(preview, THUMB_SIDE), "image/jpeg")),
    note: sent.size.width < size.width ? smaller(size, sent.size) : "",
  };
}

/** Makes a painting ready to learn from: a JPEG that is large enough. Throws Plain where it cannot be used. */
export async function openPainting(file: File, facts: Facts, style: string): Promise<Blob> {
  const { image } = await readByBrowser(file, await kindOf(file), facts, style);
  return encode(drawn(image, fit(sizeOf(image), PREVIEW_SIDE)), "image/jpeg");
}

interface Readable {
  readonly image: HTMLImageElement;
  readonly source: Blob;
}

async function readByBrowser(file: File, kind: string, facts: Facts, style: string): Promise<Readable> {
  if (!kind && !file.type.startsWith("image/")) throw notAPicture(file);
  const image = await decode(file).catch(() => null);
  if (image?.naturalWidth) return { image, source: file };
  if (kind === "image/jpeg" || kind === "image/png" || !facts.formats.includes(kind)) throw unreadable(file);
  return readByServer(file, facts, style);
}

/** Has the server read a file that this browser cannot: at strength 0 it sends the photo back as it is. */
async function readByServer(file: File, facts: Facts, style: string): Promise<Readable> {
  if (file.size > mostBytes(facts)) throw tooLarge(file, facts);
  const request = {
    image: await bytesOf(file),
    style: { case: "styleId" as const, value: style },
    strength: 0,
    format: ImageFormat.JPEG,
    quality: 95,
  };
  const reply = await patiently(() => stylizer.stylize(request));
  const source = new Blob([reply.image as Uint8Array<ArrayBuffer>], { type: "image/jpeg" });
  return { image: await decode(source), source };
}

interface Sent {
  readonly blob: Blob;
  readonly size: Size;
}

/** Returns how many bytes a photo may have, so that what goes with it finds room in the message. */
function mostBytes({ max_message_bytes: most }: Facts): number {
  return most - Math.min(MOST_BESIDE, most / 4);
}

/** Returns the file itself where the server takes it, else a smaller one; null where none is small enough. */
async function withinLimits(file: Blob, image: HTMLImageElement, facts: Facts, keep: boolean): Promise<Sent | null> {
  const size = sizeOf(image);
  const pixels = size.width * size.height;
  const most = mostBytes(facts);
  if (keep && file.size <= most && pixels <= facts.max_pixels) return { blob: file, size };
  let by = Math.min(1, Math.sqrt(Math.min(facts.max_pixels, MOST_REWRITTEN) / pixels));
  for (;;) {
    const less = scaled(size, by);
    const blob = await encode(drawn(image, less), "image/jpeg");
    if (blob.size <= most) return { blob, size: less };
    if (Math.min(less.width, less.height) < LEAST_SIDE) return null;
    by *= 0.8;
  }
}

function smaller(from: Size, to: Size): string {
  const [was, made] = [from, to].map(({ width, height }) => `${width} × ${height}`);
  return `Your photo was made smaller for this server: ${made} instead of ${was}.`;
}

function notAPicture(file: File): Plain {
  return new Plain(`“${file.name}” is not a picture.`, "Choose a photo: a JPEG, PNG, WebP, AVIF or HEIC file.");
}

function unreadable(file: File): Plain {
  const next = "It may be damaged, or of a kind that is not known here. Save it as JPEG, or choose another photo.";
  return new Plain(`“${file.name}” cannot be read.`, next);
}

function neverSmallEnough(file: File): Plain {
  const next = "Choose another, or ask who runs the server to let it take more.";
  return new Plain(`“${file.name}” cannot be made small enough for this server.`, next);
}

function tooLarge(file: File, facts: Facts): Plain {
  const [given, most] = [file.size, facts.max_message_bytes].map((bytes) => Math.ceil(bytes / 2 ** 20));
  const next = `This server takes ${most} MB. Save it as JPEG, or make it smaller.`;
  return new Plain(`“${file.name}” has ${given} MB.`, next);
}
