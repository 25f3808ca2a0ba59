/** What the server says that it can do, in /studio.json. */
export interface Facts {
  readonly version: string;
  readonly jobs: boolean;
  readonly max_message_bytes: number;
  readonly max_pixels: number;
  readonly max_working_size: number;
  readonly formats: readonly string[];
  readonly token_needed: boolean;
}

/** Throws where the server does not answer, or answers something else. */
export async function loadFacts(): Promise<Facts> {
  const response = await fetch("studio.json", { cache: "no-store" });
  if (!response.ok) throw new TypeError(`studio.json: ${response.status}`);
  return (await response.json()) as Facts;
}
