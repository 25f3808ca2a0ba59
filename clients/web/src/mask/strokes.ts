import { blank, brushOf, type Size } from "../photo/pictures";

/** A place on the photo: shares of its width and height. */
export interface Place {
  readonly x: number;
  readonly y: number;
}

/** One thing done with the brush. `paint` says whether it is painted there, or kept as in the photo. */
export type Stroke =
  | { readonly kind: "line"; readonly paint: boolean; readonly radius: number; readonly places: readonly Place[] }
  | { readonly kind: "oval"; readonly paint: boolean }
  | { readonly kind: "swap" };

const OVAL = 0.36; // of width and height

/** The mask as a canvas: opaque where it is painted, transparent where the photo is kept. */
export class Mask {
  readonly canvas: HTMLCanvasElement;
  private drawn: readonly Stroke[] = [];

  constructor(size: Size) {
    this.canvas = blank(size);
    this.fill();
  }

  /** Makes it show these strokes; what it shows already is not drawn again. */
  show(strokes: readonly Stroke[]): void {
    const grows = strokes.length >= this.drawn.length && this.drawn.every((each, index) => sameBegin(each, strokes[index]));
    if (!grows) this.fill();
    const fresh = grows ? strokes.filter((each, index) => each !== this.drawn[index]) : strokes;
    for (const stroke of fresh) draw(this.canvas, stroke);
    this.drawn = strokes;
  }

  private fill(): void {
    const brush = brushOf(this.canvas);
    brush.globalCompositeOperation = "source-over";
    brush.fillStyle = "#fff";
    brush.fillRect(0, 0, this.canvas.width, this.canvas.height);
  }
}

/** Whether a stroke is another one, or that one drawn a little further. */
function sameBegin(one: Stroke, other: Stroke | undefined): boolean {
  if (one === other) return true;
  return one.kind === "line" && other?.kind === "line" && one.places[0] === other.places[0];
}

function draw(canvas: HTMLCanvasElement, stroke: Stroke): void {
  const brush = brushOf(canvas);
  brush.fillStyle = brush.strokeStyle = "#fff";
  if (stroke.kind === "swap") {
    brush.globalCompositeOperation = "source-out";
    brush.fillRect(0, 0, canvas.width, canvas.height);
    return;
  }
  brush.globalCompositeOperation = stroke.paint ? "source-over" : "destination-out";
  if (stroke.kind === "oval") oval(brush, canvas);
  else line(brush, canvas, stroke.places, stroke.radius * Math.max(canvas.width, canvas.height));
}

function oval(brush: CanvasRenderingContext2D, { width, height }: Size): void {
  brush.beginPath();
  brush.ellipse(width / 2, height / 2, width * OVAL, height * OVAL, 0, 0, 2 * Math.PI);
  brush.fill();
}

function line(brush: CanvasRenderingContext2D, { width, height }: Size, places: readonly Place[], radius: number): void {
  const [first] = places;
  if (!first) return;
  brush.beginPath();
  brush.arc(first.x * width, first.y * height, radius, 0, 2 * Math.PI); // a line of one place has no length to draw
  brush.fill();
  brush.lineCap = brush.lineJoin = "round";
  brush.lineWidth = 2 * radius;
  brush.beginPath();
  for (const { x, y } of places) brush.lineTo(x * width, y * height);
  brush.stroke();
}
