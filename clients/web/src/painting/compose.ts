import { brushOf } from "../photo/pictures";

/**
 * Gives a painted picture the photo's colours, in place: its own luminance, the photo's hue and saturation. It is what
 * the blend mode "color" does (W3C Compositing and Blending, 10.4).
 */
export function recolour(painted: HTMLCanvasElement, photo: CanvasImageSource): void {
  const brush = brushOf(painted);
  brush.globalCompositeOperation = "color";
  brush.drawImage(photo, 0, 0, painted.width, painted.height);
  brush.globalCompositeOperation = "source-over";
}

/** Puts the photo back where a mask is transparent, in place. */
export function restore(painted: HTMLCanvasElement, photo: CanvasImageSource, mask: CanvasImageSource): void {
  const brush = brushOf(painted);
  brush.globalCompositeOperation = "destination-in";
  brush.drawImage(mask, 0, 0, painted.width, painted.height);
  brush.globalCompositeOperation = "destination-over";
  brush.drawImage(photo, 0, 0, painted.width, painted.height);
  brush.globalCompositeOperation = "source-over";
}

/** Puts one picture on a canvas, as large as that. */
export function put(canvas: HTMLCanvasElement, picture: CanvasImageSource): void {
  brushOf(canvas).drawImage(picture, 0, 0, canvas.width, canvas.height);
}
