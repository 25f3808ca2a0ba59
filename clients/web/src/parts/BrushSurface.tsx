import { useSignalEffect } from "@preact/signals";
import { useRef, useState } from "preact/hooks";
import type { Mask, Place } from "../mask/strokes";
import { blank, brushOf } from "../photo/pictures";
import type { Photo } from "../photo/photo";
import { say, strokes } from "../state";
import { add, begin, drawOn, paints, radius, undo } from "./brush";

const STEP = 0.04; // of the picture, that an arrow key moves the brush by
const FINE_STEP = 0.01;
const HATCHES = 48; // on the long side, in the veil over what is kept

const ARROWS: Record<string, readonly [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** Where the brush is drawn with, by pointer or by keyboard. What is kept is veiled. */
export function BrushSurface({ photo, mask }: { photo: Photo; mask: Mask }) {
  const veil = useRef<HTMLCanvasElement>(null);
  const [at, setAt] = useState<Place | null>(null);
  const { width, height } = photo.preview;
  const long = Math.max(width, height);

  useSignalEffect(() => {
    mask.show(strokes.value);
    if (veil.current) drawVeil(veil.current, mask);
  });

  const placeOf = (event: PointerEvent): Place => {
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
  };
  const grab = (event: PointerEvent) => {
    if (event.button !== 0) return;
    (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
    setAt(placeOf(event));
    begin(placeOf(event));
  };
  const move = (event: PointerEvent) => {
    setAt(placeOf(event));
    if ((event.currentTarget as HTMLElement).hasPointerCapture(event.pointerId)) drawOn([placeOf(event)]);
  };
  const press = (event: KeyboardEvent) => {
    const now = at ?? { x: 0.5, y: 0.5 };
    const arrow = ARROWS[event.key];
    if (arrow) setAt(stepped(now, arrow, event.shiftKey ? FINE_STEP : STEP));
    else if (event.key === " " || event.key === "Enter") dab(now);
    else if (event.key === "z" && (event.ctrlKey || event.metaKey)) undo();
    else return;
    event.preventDefault();
  };

  return (
    <div
      class="brush-surface"
      role="application"
      aria-label="Brush: arrow keys move it, Space dabs, Shift makes small steps"
      tabIndex={0}
      onPointerDown={grab}
      onPointerMove={move}
      onPointerLeave={(event) => event.pointerType === "mouse" && setAt(null)}
      onKeyDown={press}
      onFocus={() => at ?? setAt({ x: 0.5, y: 0.5 })}
    >
      <canvas ref={veil} class="veil" width={width} height={height} aria-hidden="true" />
      {at && (
        <span
          class="tip"
          aria-hidden="true"
          style={{
            left: `${100 * at.x}%`,
            top: `${100 * at.y}%`,
            width: `${(200 * radius.value * long) / width}%`,
            height: `${(200 * radius.value * long) / height}%`,
          }}
        />
      )}
    </div>
  );
}

function stepped({ x, y }: Place, [right, down]: readonly [number, number], step: number): Place {
  const within = (value: number) => Math.min(1, Math.max(0, value));
  return { x: within(x + right * step), y: within(y + down * step) };
}

function dab(place: Place): void {
  add({ kind: "line", paint: paints.value, radius: radius.value, places: [place] });
  const where = `${Math.round(100 * place.x)}% across, ${Math.round(100 * place.y)}% down`;
  say(`${paints.value ? "Painted" : "Kept"} at ${where}.`);
}

/** Veils what is kept. */
function drawVeil(canvas: HTMLCanvasElement, mask: Mask): void {
  const brush = brushOf(canvas);
  brush.globalCompositeOperation = "copy";
  brush.drawImage(mask.canvas, 0, 0);
  brush.globalCompositeOperation = "source-out";
  brush.fillStyle = hatch(brush, Math.max(canvas.width, canvas.height) / HATCHES);
  brush.fillRect(0, 0, canvas.width, canvas.height);
}

/** Returns slanting lines, light and dark, which show on any photo. */
function hatch(brush: CanvasRenderingContext2D, side: number): CanvasPattern | string {
  const tile = blank({ width: Math.ceil(side), height: Math.ceil(side) });
  const lines = brushOf(tile);
  lines.lineWidth = tile.width / 6;
  for (const [colour, shift] of [["rgb(255 255 255 / 55%)", 0], ["rgb(20 14 10 / 40%)", 1 / 6]] as const) {
    lines.strokeStyle = colour;
    lines.beginPath();
    for (const offset of [-1, 0, 1]) {
      lines.moveTo((offset + shift - 0.1) * tile.width, 1.1 * tile.height);
      lines.lineTo((offset + shift + 1.1) * tile.width, -0.1 * tile.height);
    }
    lines.stroke();
  }
  return brush.createPattern(tile, "repeat") ?? "transparent";
}
