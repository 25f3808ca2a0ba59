import type { MessageInitShape } from "@bufbuild/protobuf";
import { Optimization_Color, type OptimizationSchema } from "../gen/impasto/v1/stylizer_pb";
import type { Size } from "../photo/pictures";

export type Care = "quick" | "careful" | "fine";
export type Weight = "subtle" | "balanced" | "heavy";

/** How a job is to be painted. */
export interface Wish {
  readonly care: Care;
  readonly weight: Weight;
  readonly keepsColours: boolean;
}

const CARES: Record<Care, { readonly steps: number; readonly side: number }> = {
  quick: { steps: 40, side: 384 },
  careful: { steps: 100, side: 640 },
  fine: { steps: 150, side: 1024 },
}; // iterations, and px of the long side

const WEIGHTS: Record<Weight, number> = { subtle: 5e4, balanced: 5e5, heavy: 5e6 };

export function optimizationOf(wish: Wish): MessageInitShape<typeof OptimizationSchema> {
  const color = wish.keepsColours ? Optimization_Color.LUMINANCE : Optimization_Color.PAINTING;
  return { steps: CARES[wish.care].steps, styleWeight: WEIGHTS[wish.weight], color };
}

/** Returns the long side to paint at, in px: never more than the photo has, or than the server takes. */
export function sideOf(wish: Wish, photo: Size, most: number): number {
  return Math.min(CARES[wish.care].side, Math.max(photo.width, photo.height), most);
}
