import { useComputed, useSignalEffect } from "@preact/signals";
import { useMemo, useRef } from "preact/hooks";
import { job } from "../job/job";
import { Mask } from "../mask/strokes";
import { put, recolour, restore } from "../painting/compose";
import { credit } from "../painting/hands";
import type { Photo } from "../photo/photo";
import { blank } from "../photo/pictures";
import { choice, chosenHand, handOf, keepsColours, painted, painting, showsJob, strokes, tab, wipe } from "../state";
import { BrushSurface } from "./BrushSurface";
import { JobProgress } from "./JobProgress";
import { Strength } from "./Strength";
import { Wipe } from "./Wipe";

/** The photo and its painting, large, one over the other. */
export function Easel({ photo }: { photo: Photo }) {
  const shown = useComputed(() => (showsJob.value ? (job.value?.picture ?? null) : painted.value));
  const busy = !showsJob.value && painting.value;
  const brushes = tab.value === "brush";
  const masked = useMemo(() => new Mask(photo.preview), [photo]);
  return (
    <figure class="easel" aria-busy={busy}>
      <div class="frame">
        <Layer class="after" photo={photo} paint={(canvas) => paintAfter(canvas, photo, shown.value, masked)} />
        {shown.value && !brushes && (
          <Layer
            class="before"
            photo={photo}
            paint={(canvas) => put(canvas, photo.preview)}
            style={{ clipPath: `inset(0 ${100 - wipe.value}% 0 0)` }}
          />
        )}
        {brushes && <BrushSurface photo={photo} mask={masked} />}
        {!brushes && shown.value && <Wipe />}
        {busy && <div class="working" aria-hidden="true" />}
      </div>
      <figcaption>
        <Caption photo={photo} />
        {showsJob.value ? <JobProgress /> : <Strength />}
      </figcaption>
    </figure>
  );
}

interface LayerProps {
  readonly class: string;
  readonly photo: Photo;
  readonly paint: (canvas: HTMLCanvasElement) => void;
  readonly style?: Record<string, string>;
}

/** A canvas as large as the photo's preview; it is painted anew when a signal changes that the painting has read. */
function Layer({ class: look, photo, paint, style = {} }: LayerProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useSignalEffect(() => {
    if (canvas.current) paint(canvas.current);
  });
  const { width, height } = photo.preview;
  return <canvas ref={canvas} class={look} width={width} height={height} style={style} aria-hidden="true" />;
}

function paintAfter(canvas: HTMLCanvasElement, photo: Photo, picture: HTMLCanvasElement | null, mask: Mask): void {
  const brushed = strokes.value;
  const recoloured = keepsColours.value && !showsJob.value;
  if (!picture) return put(canvas, photo.preview);
  const layer = blank(photo.preview);
  put(layer, picture);
  if (recoloured) recolour(layer, photo.preview);
  if (brushed.length && !showsJob.value) {
    mask.show(brushed);
    restore(layer, photo.preview, mask.canvas);
  }
  put(canvas, layer);
}

/** What hangs beside it, as in a gallery. */
function Caption({ photo }: { photo: Photo }) {
  if (showsJob.value) {
    return (
      <div class="caption">
        {job.value && <img src={job.value.painting} alt="" />}
        <p>
          <strong>After your painting</strong>
          <span>{photo.name}</span>
        </p>
      </div>
    );
  }
  const hand = chosenHand.value;
  const second = handOf(choice.value.second);
  if (!hand) {
    return (
      <p class="caption">
        <strong>Your photo</strong>
        <span>Choose a style to see it painted.</span>
      </p>
    );
  }
  return (
    <p class="caption">
      <strong>{second ? `${hand.title} & ${second.title}` : hand.title}</strong>
      <span>{second ? `${hand.artist} & ${second.artist}` : credit(hand)}</span>
    </p>
  );
}
