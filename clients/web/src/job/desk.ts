import { Code } from "@connectrpc/connect";
import { operations, stylizer } from "../api/client";
import type { Facts } from "../api/facts";
import { patiently, pause } from "../api/patience";
import { hasCode, isAway, troubleOf } from "../api/troubles";
import { ImageFormat } from "../gen/impasto/v1/stylizer_pb";
import { maskField } from "../mask/file";
import { place } from "../opening";
import { openPhoto, type Photo } from "../photo/photo";
import { bytesOf, decodeTo, drawn, fit } from "../photo/pictures";
import { facts, hands, photo, say, showsJob, strokes, tab } from "../state";
import { tellOf } from "../tell";
import { follow, forgetResult } from "./following";
import { change, isOver, job, newJob } from "./job";
import { fileOf, forget, recall, type Remembered, remember } from "./memory";
import { optimizationOf, sideOf, type Wish } from "./wish";

const QUALITY = 95;
const REMEMBERED_SIDE = 1280; // px
const PAINTING_SIDE = 240; // px, of the painting as it is shown beside its job
const CANCEL_PAUSE = 1; // s

let following = new AbortController();

/** Has a photo painted in a painting's hand. */
export async function begin(source: Photo, painting: Blob, wish: Wish): Promise<void> {
  following.abort();
  const mine = (following = new AbortController());
  const shown = (await decodeTo(painting, PAINTING_SIDE)).toDataURL("image/jpeg", 0.8);
  if (mine.signal.aborted) return; // begun once more meanwhile
  job.value = newJob(source, shown);
  showsJob.value = true;
  await send(source, painting, wish, newId(), mine.signal);
}

async function send(source: Photo, painting: Blob, wish: Wish, requestId: string, signal: AbortSignal): Promise<void> {
  try {
    const stylize = {
      image: source.full,
      style: { case: "styleImages" as const, value: { parts: [{ image: await bytesOf(painting) }] } },
      workingSize: sideOf(wish, source.size, facts.value?.max_working_size ?? Infinity),
      optimization: optimizationOf(wish),
      format: ImageFormat.JPEG,
      quality: QUALITY,
      requestId,
      ...(await maskField(strokes.value, source.size)),
    };
    const { name } = await patiently(() => stylizer.createStylization({ stylize }, { signal }), signal, queued);
    const stopped = job.value?.phase === "cancelling";
    change({ name, phase: stopped ? "cancelling" : "queued", trouble: null });
    remember({ name, photoName: source.name, photo: small(source), painting: job.value?.painting ?? "" });
    say("Your painting has been begun.");
    if (stopped) void cancel();
    await follow(name, signal);
  } catch (error) {
    if (signal.aborted) return;
    tellOf(error, () => void send(source, painting, wish, requestId, signal));
    change({ phase: "failed", trouble: troubleOf(error) });
  }
}

/** Finds the job again that an earlier visit began. */
export async function resume(): Promise<void> {
  const kept = recall();
  if (!kept || !facts.value?.jobs) return;
  const source = await photoOf(kept, facts.value).catch(() => null);
  if (!source) return forget();
  following = new AbortController();
  job.value = newJob(source, kept.painting, kept.name);
  comeBack();
  await follow(kept.name, following.signal);
}

/** Shows the job again, over the photo that it paints. */
export function comeBack(): void {
  if (!job.value) return;
  if (photo.value !== job.value.photo) place(job.value.photo);
  showsJob.value = true;
  tab.value = "own";
}

async function photoOf(kept: Remembered, known: Facts): Promise<Photo> {
  return openPhoto(fileOf(kept.photo, `${kept.photoName}.jpg`), known, hands.value[0]?.id ?? "");
}

/** Stops the job, as soon as it has a name; a server that is away is told again until it has heard. */
export async function cancel(): Promise<void> {
  const { name = "", phase = "done" } = job.value ?? {};
  if (isOver(phase)) return;
  change({ phase: "cancelling" });
  while (name && job.value?.name === name && !isOver(job.value.phase)) {
    try {
      await operations.cancelOperation({ name });
      return;
    } catch (error) {
      if (!isAway(error) && !hasCode(error, Code.ResourceExhausted)) return; // it has ended by itself
      await pause(CANCEL_PAUSE);
    }
  }
}

/** Forgets the job, here and on the server. */
export function dismiss(): void {
  const name = job.value?.name;
  following.abort();
  forget();
  forgetResult();
  job.value = null;
  showsJob.value = false;
  if (name) operations.deleteOperation({ name }).catch(() => undefined); // the server deletes it in time by itself
}

function queued(): void {
  say("The server is full. Your painting is tried again in a moment.");
}

function small(source: Photo): string {
  return drawn(source.preview, fit(source.preview, REMEMBERED_SIDE)).toDataURL("image/jpeg", 0.8);
}

/** Returns a name for a request; crypto.randomUUID is only there on pages that came over TLS. */
function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
