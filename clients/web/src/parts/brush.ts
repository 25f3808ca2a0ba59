import { signal } from "@preact/signals";
import type { Place, Stroke } from "../mask/strokes";
import { strokes } from "../state";

export const SMALLEST = 0.01; // radius, a share of the long side
export const LARGEST = 0.2;

/** Whether the brush paints, or keeps the photo. */
export const paints = signal(false);
export const radius = signal(0.06);

export function add(stroke: Stroke): void {
  strokes.value = [...strokes.value, stroke];
}

export function undo(): void {
  strokes.value = strokes.value.slice(0, -1);
}

/** Begins a line; one of a single place is a dab. */
export function begin(place: Place): void {
  add({ kind: "line", paint: paints.value, radius: radius.value, places: [place] });
}

/** Draws the last line on. */
export function drawOn(places: readonly Place[]): void {
  const last = strokes.value.at(-1);
  if (last?.kind !== "line") return;
  strokes.value = [...strokes.value.slice(0, -1), { ...last, places: [...last.places, ...places] }];
}
