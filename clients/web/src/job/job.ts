import { signal } from "@preact/signals";
import type { Trouble } from "../api/troubles";
import type { Photo } from "../photo/photo";

export type Phase = "sending" | "queued" | "running" | "fetching" | "done" | "failed" | "cancelling" | "cancelled";

/** A painting of one's own, being painted. */
export interface Job {
  /** The operation's name; "" until the server has given one. */
  readonly name: string;
  readonly photo: Photo;
  /** The address of a picture of the painting. */
  readonly painting: string;
  readonly phase: Phase;
  readonly step: number;
  readonly steps: number;
  /** s; null while nobody can tell. */
  readonly secondsLeft: number | null;
  /** What it looks like so far, or in the end. */
  readonly picture: HTMLCanvasElement | null;
  /** Whether the server does not answer just now. */
  readonly away: boolean;
  /** What had to be done otherwise than asked for. */
  readonly notes: readonly string[];
  readonly file: Blob | null;
  readonly trouble: Trouble | null;
}

/** The job that the page has; one at a time. */
export const job = signal<Job | null>(null);

export function newJob(photo: Photo, painting: string, name = ""): Job {
  return {
    name,
    photo,
    painting,
    phase: name ? "queued" : "sending",
    step: 0,
    steps: 0,
    secondsLeft: null,
    picture: null,
    away: false,
    notes: [],
    file: null,
    trouble: null,
  };
}

export function change(part: Partial<Job>): void {
  if (job.value) job.value = { ...job.value, ...part };
}

export function isOver(phase: Phase): boolean {
  return phase === "done" || phase === "failed" || phase === "cancelled";
}
