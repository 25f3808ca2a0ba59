import { computed, signal } from "@preact/signals";
import type { Facts } from "./api/facts";
import type { Trouble } from "./api/troubles";
import type { Stroke } from "./mask/strokes";
import type { Choice } from "./painting/choice";
import { NOTHING_CHOSEN } from "./painting/choice";
import type { Hand } from "./painting/hands";
import type { Photo } from "./photo/photo";

export type Tab = "styles" | "own" | "adjust" | "brush";

/** What the server can do; null until it has said so. */
export const facts = signal<Facts | null>(null);

/** The styles that it paints in. */
export const hands = signal<readonly Hand[]>([]);

/** Whether a token has to be typed before anything goes on, and what was wrong with the last one. */
export const wantsToken = signal<{ readonly wrong: boolean } | null>(null);

export const photo = signal<Photo | null>(null);

/** Whether a photo is being opened. */
export const opening = signal(false);

export const tab = signal<Tab>("styles");
export const choice = signal<Choice>(NOTHING_CHOSEN);
export const keepsColours = signal(false);

/** What was brushed, oldest first. */
export const strokes = signal<readonly Stroke[]>([]);

/** Whether the easel shows the job, not a trained style. */
export const showsJob = signal(false);

/** The photo in the chosen style, as large as its preview. */
export const painted = signal<HTMLCanvasElement | null>(null);

/** Whether it is being painted anew. */
export const painting = signal(false);

/** How much of the photo the wipe shows, 0 to 100. */
export const wipe = signal(0);

/** What went wrong last. */
export const trouble = signal<Trouble | null>(null);

/** What a screen reader is told next. */
export const said = signal("");

export const chosenHand = computed(() => handOf(choice.value.style));

export function handOf(id: string): Hand | undefined {
  return hands.value.find((hand) => hand.id === id);
}

export function say(text: string): void {
  said.value = text;
}

export function choose(part: Partial<Choice>): void {
  choice.value = { ...choice.value, ...part };
}
