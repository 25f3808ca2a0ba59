import { painted, showsJob, strokes } from "../state";
import { add, LARGEST, paints, radius, SMALLEST, undo } from "./brush";
import { OneOf, Range } from "./controls";
import { UndoIcon } from "./icons";

/** Says which part of the photo is painted. */
export function BrushTools() {
  const nothing = strokes.value.length === 0;
  return (
    <div class="stack">
      <p class="hint">
        {painted.value || showsJob.value
          ? "Brush over what is to stay as in your photo."
          : "Brush over what is to stay as in your photo; it shows once a style is chosen."}
        {showsJob.value && " It counts for the next painting that you begin."}
      </p>
      <OneOf
        legend="The brush"
        options={[
          ["keep", "Keeps the photo"],
          ["paint", "Paints"],
        ]}
        value={paints.value ? "paint" : "keep"}
        onChange={(what) => (paints.value = what === "paint")}
      />
      <Range
        label="Size"
        value={radius.value}
        min={SMALLEST}
        max={LARGEST}
        step={0.005}
        text={`${Math.round(200 * radius.value)}% of the picture`}
        onChange={(value) => (radius.value = value)}
      />
      <div class="squares">
        <button type="button" class="button small" disabled={nothing} onClick={undo}>
          <UndoIcon />
          Undo
        </button>
        <button type="button" class="button small" disabled={nothing} onClick={() => (strokes.value = [])}>
          Paint all
        </button>
        <button type="button" class="button small" onClick={() => add({ kind: "oval", paint: false })}>
          Keep the middle
        </button>
        <button
          type="button"
          class="button small"
          aria-label="Swap what is painted and what is kept"
          onClick={() => add({ kind: "swap" })}
        >
          Swap
        </button>
      </div>
      <p class="hint only-with-mouse">With the keyboard: move to the picture; arrow keys move the brush, Space dabs.</p>
    </div>
  );
}
