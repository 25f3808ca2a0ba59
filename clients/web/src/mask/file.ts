import { blank, brushOf, bytesOf, encode, type Size } from "../photo/pictures";
import { Mask, type Stroke } from "./strokes";

/** Returns what was brushed as the server takes it: a PNG of the photo's size, white where it is painted. */
export async function maskFile(strokes: readonly Stroke[], size: Size): Promise<Uint8Array<ArrayBuffer>> {
  const mask = new Mask(size);
  mask.show(strokes);
  const canvas = blank(size);
  const brush = brushOf(canvas);
  brush.fillStyle = "#000";
  brush.fillRect(0, 0, size.width, size.height);
  brush.drawImage(mask.canvas, 0, 0);
  return bytesOf(await encode(canvas, "image/png"));
}

/** Returns the field of a request; none where nothing was brushed, and all of the photo is painted. */
export async function maskField(strokes: readonly Stroke[], size: Size) {
  return strokes.length ? { mask: { image: await maskFile(strokes, size) } } : {};
}
