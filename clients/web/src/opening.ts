import { batch, signal } from "@preact/signals";
import { Plain, troubleOf } from "./api/troubles";
import { paintThumbs } from "./painting/thumbs";
import { openPhoto, type Photo } from "./photo/photo";
import { facts, hands, opening, painted, photo, say, showsJob, strokes, tab, trouble, wipe } from "./state";

/** Counts the photos that have been put on the easel: with each the focus goes there, and nothing of the last one stays. */
export const arrival = signal(0);

let turn = 0;

/** Opens a file, and puts the photo on the easel. */
export async function open(file: File): Promise<void> {
  const mine = ++turn;
  if (!facts.value) return;
  opening.value = true;
  say(`Opening ${file.name}.`);
  try {
    const opened = await openPhoto(file, facts.value, hands.value[0]?.id ?? "");
    if (mine === turn) place(opened);
  } catch (error) {
    if (mine === turn) trouble.value = troubleOf(isOurs(error) ? error : tooMuch(file, error), () => void open(file));
  } finally {
    if (mine === turn) opening.value = false;
  }
}

/** Puts a photo on the easel, in place of the last one. */
export function place(opened: Photo): void {
  batch(() => {
    photo.value = opened;
    painted.value = null;
    strokes.value = [];
    showsJob.value = false;
    trouble.value = null;
    wipe.value = 0;
    if (tab.value === "brush" || tab.value === "own") tab.value = "styles";
    arrival.value++;
  });
  paintThumbs(opened);
  say(`Your photo is on the easel. ${opened.note}`);
}

function isOurs(error: unknown): boolean {
  return !(error instanceof RangeError || error instanceof DOMException);
}

/** What a browser throws that has no memory for a picture. */
function tooMuch(file: File, cause: unknown): Plain {
  const plain = new Plain(`“${file.name}” is more than this browser can open.`, "Make it smaller, or choose another.");
  plain.cause = cause;
  return plain;
}

/** Opens one of the photos that come with the page. */
export async function openSample(name: string): Promise<void> {
  try {
    const response = await fetch(`samples/${name}.jpg`);
    if (!response.ok) throw new TypeError(`${response.status}`);
    await open(new File([await response.blob()], `${name}.jpg`, { type: "image/jpeg" }));
  } catch (error) {
    trouble.value = troubleOf(error, () => void openSample(name));
  }
}
