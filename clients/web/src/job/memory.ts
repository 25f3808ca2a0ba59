/** What the browser remembers of a job, so that it is found again after a reload. */
export interface Remembered {
  /** The operation's name. */
  readonly name: string;
  readonly photoName: string;
  /** The photo and the painting, small, as data: addresses. */
  readonly photo: string;
  readonly painting: string;
}

const KEY = "impasto.job";

/** Returns whether it could be remembered. */
export function remember(job: Remembered): boolean {
  try {
    localStorage.setItem(KEY, JSON.stringify(job));
    return true;
  } catch {
    return false; // no room, or not allowed
  }
}

export function forget(): void {
  try {
    localStorage.removeItem(KEY);
  } catch {
    // Where storage is not allowed, nothing was remembered.
  }
}

export function recall(): Remembered | null {
  try {
    const text = localStorage.getItem(KEY);
    return text ? (JSON.parse(text) as Remembered) : null;
  } catch {
    return null;
  }
}

/** Returns the file in a data: address. */
export function fileOf(address: string, name: string): File {
  const [head = "", body = ""] = address.split(",");
  const bytes = Uint8Array.from(atob(body), (letter) => letter.charCodeAt(0));
  return new File([bytes], name, { type: /data:([^;]*)/.exec(head)?.[1] ?? "" });
}
