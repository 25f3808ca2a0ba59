import { signal } from "@preact/signals";
import { stylizer } from "../api/client";
import { patiently } from "../api/patience";
import { isCancelled } from "../api/troubles";
import { tellOf } from "../tell";
import type { Photo } from "../photo/photo";
import { choice, hands, say, showsJob } from "../state";
import type { Hand } from "./hands";

const AT_ONCE = 3; // requests
const WORKING_SIZE = 256; // px
const TIMEOUT = 60_000; // ms

/** The photo in each style, small: addresses of pictures by the styles' ids. */
export const thumbs = signal<ReadonlyMap<string, string>>(new Map());

let underway = new AbortController();

/** Paints a photo in every style; what was being painted before is given up. */
export function paintThumbs(photo: Photo): void {
  underway.abort();
  underway = new AbortController();
  for (const url of thumbs.value.values()) URL.revokeObjectURL(url);
  thumbs.value = new Map();
  void paintMissing(photo, underway.signal);
}

async function paintMissing(photo: Photo, signal: AbortSignal): Promise<void> {
  const waiting = hands.value.filter((hand) => !thumbs.value.has(hand.id));
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, () => paintFrom(waiting, photo, signal)));
    if (!choice.value.style && !showsJob.value) say(`Your photo has been painted in ${thumbs.value.size} styles. Choose one.`);
  } catch (error) {
    if (isCancelled(error) || signal.aborted) return;
    waiting.length = 0;
    tellOf(error, () => void paintMissing(photo, signal));
  }
}

/** Takes one style after the other, until none is left. */
async function paintFrom(waiting: Hand[], photo: Photo, signal: AbortSignal): Promise<void> {
  for (let hand = waiting.shift(); hand; hand = waiting.shift()) {
    const url = await paintOne(hand, photo, signal);
    thumbs.value = new Map(thumbs.value).set(hand.id, url);
  }
}

async function paintOne(hand: Hand, photo: Photo, signal: AbortSignal): Promise<string> {
  const request = {
    image: photo.thumbFile,
    style: { case: "styleId" as const, value: hand.id },
    workingSize: WORKING_SIZE,
    quality: 85,
  };
  const reply = await patiently(() => stylizer.stylize(request, { signal, timeoutMs: TIMEOUT }), signal);
  signal.throwIfAborted();
  return URL.createObjectURL(new Blob([reply.image as Uint8Array<ArrayBuffer>], { type: "image/jpeg" }));
}
