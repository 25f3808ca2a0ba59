/** Pictures in the browser: decoded, scaled, written. */

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Decodes a picture file, upright. Throws where the browser cannot. */
export async function decode(file: Blob): Promise<HTMLImageElement> {
  const image = new Image();
  const url = URL.createObjectURL(file);
  try {
    image.src = url;
    await image.decode();
    return image;
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** Decodes a picture file to at most this long side. */
export async function decodeTo(file: Blob, longSide: number): Promise<HTMLCanvasElement> {
  const image = await decode(file);
  return drawn(image, fit(sizeOf(image), longSide));
}

export function sizeOf(image: HTMLImageElement): Size {
  return { width: image.naturalWidth, height: image.naturalHeight };
}

/** Returns a size of the same proportions whose long side is at most this. */
export function fit(size: Size, longSide: number): Size {
  return scaled(size, Math.min(1, longSide / Math.max(size.width, size.height)));
}

export function scaled(size: Size, by: number): Size {
  return { width: Math.max(1, Math.round(size.width * by)), height: Math.max(1, Math.round(size.height * by)) };
}

export function blank(size: Size): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = size.width;
  canvas.height = size.height;
  return canvas;
}

/** Returns a canvas to draw on; a browser that has no more of them is out of memory. */
export function brushOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext("2d");
  if (!context) throw new RangeError("no canvas of this size can be had");
  context.imageSmoothingQuality = "high";
  return context;
}

/** Returns a picture in another size; what was transparent is white. */
export function drawn(image: CanvasImageSource, size: Size): HTMLCanvasElement {
  const canvas = blank(size);
  const brush = brushOf(canvas);
  brush.fillStyle = "#fff";
  brush.fillRect(0, 0, size.width, size.height);
  brush.drawImage(image, 0, 0, size.width, size.height);
  return canvas;
}

/** Returns the middle of a picture, as a square of this side. */
export function square(image: HTMLCanvasElement, side: number): HTMLCanvasElement {
  const cut = Math.min(image.width, image.height);
  const canvas = blank({ width: side, height: side });
  brushOf(canvas).drawImage(image, (image.width - cut) / 2, (image.height - cut) / 2, cut, cut, 0, 0, side, side);
  return canvas;
}

/** Writes a picture file. */
export function encode(canvas: HTMLCanvasElement, type: string, quality = 0.92): Promise<Blob> {
  return new Promise((resolve, reject) => {
    canvas.toBlob(
      (blob) => (blob?.type === type ? resolve(blob) : reject(new RangeError(`this browser writes no ${type} of this size`))),
      type,
      quality,
    );
  });
}

export async function bytesOf(blob: Blob): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await blob.arrayBuffer());
}
