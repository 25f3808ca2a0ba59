import type { MessageInitShape } from "@bufbuild/protobuf";
import type { StylizeRequestSchema } from "../gen/impasto/v1/stylizer_pb";
import type { Size } from "../photo/pictures";

export type Strokes = "fine" | "medium" | "broad";

/** What to paint a photo as. */
export interface Choice {
  /** The style's id; "" while none is chosen. */
  readonly style: string;
  /** The style that is blended in; "" for none. */
  readonly second: string;
  /** The second style's share, 0 to 1. */
  readonly mix: number;
  /** 0, the photo, to 1, all paint. */
  readonly strength: number;
  readonly strokes: Strokes;
}

export const NOTHING_CHOSEN: Choice = { style: "", second: "", mix: 0.5, strength: 1, strokes: "fine" };

const LARGEST = 1280; // px, the long side that is painted at
const SMALLEST = 64; // px, below which nothing is left of a photo
const SHARES: Record<Strokes, number> = { fine: 1, medium: 0.62, broad: 0.38 };

type StyleOf = NonNullable<MessageInitShape<typeof StylizeRequestSchema>["style"]>;

/** Returns the style as a request names it. */
export function styleOf(choice: Choice): StyleOf {
  if (!choice.second) return { case: "styleId", value: choice.style };
  const parts = [
    { styleId: choice.style, weight: 1 - choice.mix },
    { styleId: choice.second, weight: choice.mix },
  ];
  return { case: "blend", value: { parts } };
}

/**
 * Returns the long side to paint at, in px: strokes have a size of their own, so a smaller one makes them broader. It
 * is the same for the preview and the full size, which otherwise would not look alike.
 */
export function workingSize(choice: Choice, photo: Size, most: number): number {
  const whole = Math.min(Math.max(photo.width, photo.height), LARGEST, most);
  return Math.max(Math.min(SMALLEST, most), Math.round(whole * SHARES[choice.strokes]));
}
