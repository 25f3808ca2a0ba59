const HEAD = 32; // bytes that tell what a file is

const HEIC_BRANDS = ["heic", "heix", "hevc", "heim", "heis", "mif1", "msf1"];

/** Returns a file's media type by its first bytes, or "" where that is no picture that we know. */
export async function kindOf(file: Blob): Promise<string> {
  const head = new Uint8Array(await file.slice(0, HEAD).arrayBuffer());
  const text = String.fromCharCode(...head);
  if (text.startsWith("\xff\xd8\xff")) return "image/jpeg";
  if (text.startsWith("\x89PNG")) return "image/png";
  if (text.startsWith("RIFF") && text.slice(8, 12) === "WEBP") return "image/webp";
  if (text.startsWith("GIF8")) return "image/gif";
  if (text.startsWith("BM")) return "image/bmp";
  if (text.slice(4, 8) === "ftyp") return kindOfBrands(text.slice(8));
  return "";
}

function kindOfBrands(brands: string): string {
  if (brands.includes("avif")) return "image/avif";
  return HEIC_BRANDS.some((brand) => brands.includes(brand)) ? "image/heic" : "";
}
