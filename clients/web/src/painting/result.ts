import { stylizer } from "../api/client";
import { patiently } from "../api/patience";
import { Plain } from "../api/troubles";
import { ImageFormat } from "../gen/impasto/v1/stylizer_pb";
import { job } from "../job/job";
import { maskField } from "../mask/file";
import type { Photo } from "../photo/photo";
import { decode, drawn, encode, sizeOf } from "../photo/pictures";
import { choice, facts, keepsColours, photo, showsJob, strokes } from "../state";
import { styleOf, workingSize } from "./choice";
import { recolour } from "./compose";

export interface Format {
  readonly name: string;
  readonly type: string;
  readonly ending: string;
  readonly number: ImageFormat;
}

export const FORMATS: readonly [Format, ...Format[]] = [
  { name: "JPEG", type: "image/jpeg", ending: "jpg", number: ImageFormat.JPEG },
  { name: "PNG", type: "image/png", ending: "png", number: ImageFormat.PNG },
  { name: "WebP", type: "image/webp", ending: "webp", number: ImageFormat.WEBP },
];

const QUALITY = 95;
const TIMEOUT = 180_000; // ms

let latest: { readonly of: readonly unknown[]; readonly file: File } | null = null;

/** Returns what the easel shows, in the photo's full size, as a file; at once, where it was made before. */
export async function finished(format: Format): Promise<File> {
  const of = [photo.value, choice.value, keepsColours.value, strokes.value, showsJob.value, job.value?.file, format];
  if (latest && latest.of.every((each, index) => each === of[index])) return latest.file;
  const file = showsJob.value ? await ofJob(format) : await ofStyle(format);
  latest = { of, file };
  return file;
}

async function ofStyle(format: Format): Promise<File> {
  const source = photo.value;
  if (!source) throw new Plain("There is no photo yet.", "Choose one first.");
  const recoloured = keepsColours.value;
  const request = {
    image: source.full,
    style: styleOf(choice.value),
    strength: choice.value.strength,
    workingSize: workingSize(choice.value, source.size, facts.value?.max_working_size ?? Infinity),
    format: recoloured ? ImageFormat.JPEG : format.number,
    quality: QUALITY,
    ...(await maskField(strokes.value, source.size)),
  };
  const reply = await patiently(() => stylizer.stylize(request, { timeoutMs: TIMEOUT }));
  const type = recoloured ? "image/jpeg" : format.type;
  const painted = new Blob([reply.image as Uint8Array<ArrayBuffer>], { type });
  const blob = recoloured ? await inColours(painted, source, format) : painted;
  return named(blob, source.name, choice.value.style.replace(/^.*\//, ""), format);
}

async function inColours(painted: Blob, source: Photo, format: Format): Promise<Blob> {
  const [picture, original] = await Promise.all([decode(painted), decode(new Blob([source.full]))]);
  const canvas = drawn(picture, sizeOf(picture));
  recolour(canvas, original);
  return written(canvas, format);
}

async function ofJob(format: Format): Promise<File> {
  const result = job.value?.file;
  if (!result) throw new Plain("The painting is not done yet.", "Wait until it is, then download it.");
  const blob = result.type === format.type ? result : await rewritten(result, format);
  return named(blob, photo.value?.name ?? "photo", "painted", format);
}

async function rewritten(file: Blob, format: Format): Promise<Blob> {
  const image = await decode(file);
  return written(drawn(image, sizeOf(image)), format);
}

function written(canvas: HTMLCanvasElement, format: Format): Promise<Blob> {
  return encode(canvas, format.type, QUALITY / 100).catch(() => {
    throw new Plain(`This browser cannot write ${format.name} of this size.`, "Choose another format.");
  });
}

function named(blob: Blob, photo: string, style: string, format: Format): File {
  return new File([blob], `${photo}-${style}.${format.ending}`, { type: format.type });
}

/** Has the browser save a file. */
export function save(file: File): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = file.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Whether the browser can hand a picture to other apps. */
export function canShare(): boolean {
  const probe = new File([""], "picture.jpg", { type: "image/jpeg" });
  return navigator.canShare?.({ files: [probe] }) ?? false;
}
