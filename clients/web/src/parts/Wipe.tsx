import { useRef } from "preact/hooks";
import { wipe } from "../state";
import { WipeIcon } from "./icons";

const STEP = 2; // percent
const LEAP = 10;
const HIDES_LABEL = 14; // percent of the picture, below which a label has no room

const MOVES: Record<string, (now: number) => number> = {
  ArrowLeft: (now) => now - STEP,
  ArrowDown: (now) => now - STEP,
  ArrowRight: (now) => now + STEP,
  ArrowUp: (now) => now + STEP,
  PageDown: (now) => now - LEAP,
  PageUp: (now) => now + LEAP,
  Home: () => 0,
  End: () => 100,
};

/** Compares before and after: the photo on the left of a line that can be moved, the painting on its right. */
export function Wipe() {
  const area = useRef<HTMLDivElement>(null);
  const handle = useRef<HTMLDivElement>(null);
  const move = (to: number) => (wipe.value = Math.round(Math.min(100, Math.max(0, to))));

  const follow = (event: PointerEvent) => {
    const box = area.current?.getBoundingClientRect();
    if (box) move((100 * (event.clientX - box.left)) / box.width);
  };
  const grab = (event: PointerEvent) => {
    if (event.button !== 0) return;
    area.current?.setPointerCapture(event.pointerId);
    handle.current?.focus({ preventScroll: true });
    follow(event);
  };
  const press = (event: KeyboardEvent) => {
    const change = MOVES[event.key];
    if (!change) return;
    event.preventDefault();
    move(change(wipe.value));
  };

  const at = wipe.value;
  return (
    <div
      ref={area}
      class="wipe"
      style={{ "--at": `${at}%` }}
      onPointerDown={grab}
      onPointerMove={(event) => area.current?.hasPointerCapture(event.pointerId) && follow(event)}
    >
      <span class="side left" hidden={at < HIDES_LABEL} aria-hidden="true">
        Photo
      </span>
      <span class="side right" hidden={at > 100 - HIDES_LABEL || at === 0} aria-hidden="true">
        Painting
      </span>
      <div class="line" aria-hidden="true" />
      <div
        ref={handle}
        class="handle"
        role="slider"
        tabIndex={0}
        aria-label="Compare with the photo"
        aria-orientation="horizontal"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={at}
        aria-valuetext={at === 0 ? "all painting" : at === 100 ? "all photo" : `${at}% photo, ${100 - at}% painting`}
        onKeyDown={press}
      >
        <WipeIcon />
      </div>
    </div>
  );
}
