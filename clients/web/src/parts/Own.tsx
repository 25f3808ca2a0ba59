import { signal } from "@preact/signals";
import { troubleOf } from "../api/troubles";
import { begin, comeBack } from "../job/desk";
import { isOver, job } from "../job/job";
import type { Care, Weight, Wish } from "../job/wish";
import { openPainting } from "../photo/photo";
import { facts, hands, photo, showsJob, trouble } from "../state";
import { FileButton, OneOf, Switch } from "./controls";
import { PictureIcon } from "./icons";
import { JobCard } from "./JobCard";

const CARES: readonly (readonly [Care, string])[] = [
  ["quick", "Quick"],
  ["careful", "Careful"],
  ["fine", "Fine"],
];
const WEIGHTS: readonly (readonly [Weight, string])[] = [
  ["subtle", "Subtle"],
  ["balanced", "Balanced"],
  ["heavy", "Heavy"],
];

const wish = signal<Wish>({ care: "quick", weight: "balanced", keepsColours: false });

/** The painting to learn from, and the address that it is shown by. */
const painting = signal<{ readonly file: Blob; readonly url: string } | null>(null);

/** Takes a painting, by whatever way it comes. */
export async function bring(file: File): Promise<void> {
  if (!facts.value) return;
  try {
    const opened = await openPainting(file, facts.value, hands.value[0]?.id ?? "");
    if (painting.value) URL.revokeObjectURL(painting.value.url);
    painting.value = { file: opened, url: URL.createObjectURL(opened) };
    trouble.value = null;
  } catch (error) {
    trouble.value = troubleOf(error, () => void bring(file));
  }
}

/** Has the photo painted in the hand of a painting that the person brings. */
export function Own() {
  if (job.value && showsJob.value) return <JobCard />;
  const busy = job.value !== null && !isOver(job.value.phase);
  const change = (part: Partial<Wish>) => (wish.value = { ...wish.value, ...part });
  const start = () => {
    if (photo.value && painting.value) void begin(photo.value, painting.value.file, wish.value);
  };
  return (
    <div class="stack">
      {job.value && (
        <button type="button" class="button" onClick={comeBack}>
          Back to the painting that you began
        </button>
      )}
      <div class="easel-small">
        {painting.value ? <img src={painting.value.url} alt="Your painting" /> : <PictureIcon />}
        <div>
          <p>
            {painting.value
              ? "Your photo will take on its strokes and colours."
              : "Bring any painting: your photo takes on its hand. Close brushwork does best."}
          </p>
          <FileButton class={painting.value ? "small" : "small primary"} onFile={bring}>
            {painting.value ? "Another painting" : "Choose a painting"}
          </FileButton>
        </div>
      </div>
      <OneOf legend="Care" options={CARES} value={wish.value.care} onChange={(care) => change({ care })} />
      <OneOf legend="Style" options={WEIGHTS} value={wish.value.weight} onChange={(weight) => change({ weight })} />
      <Switch
        label="Keep the photo’s colours"
        on={wish.value.keepsColours}
        onChange={(keepsColours) => change({ keepsColours })}
      />
      <button
        type="button"
        class="button primary"
        disabled={busy || !painting.value}
        aria-describedby={busy ? "own-busy" : undefined}
        onClick={start}
      >
        Paint it
      </button>
      {busy && (
        <p id="own-busy" class="hint">
          One at a time: the painting that you began is not done yet. Wait for it, or go back to it and stop it.
        </p>
      )}
      <p class="hint">
        It is learnt from scratch, so it takes from half a minute to several. You see it grow, and may close the page
        meanwhile: this browser finds it again.
      </p>
    </div>
  );
}
