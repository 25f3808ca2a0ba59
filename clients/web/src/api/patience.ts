import { Code } from "@connectrpc/connect";
import { hasCode, retryDelay } from "./troubles";

const TRIES = 6;
const SHORTEST = 0.3; // s, doubled with each try
const LONGEST = 20; // s, that a person would wait without a word

/** Resolves after a while, or rejects when the signal says so. */
export function pause(seconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const giveUp = () => {
      clearTimeout(timer);
      reject(new DOMException("given up", "AbortError"));
    };
    if (signal?.aborted) return reject(new DOMException("given up", "AbortError"));
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", giveUp);
      resolve();
    }, seconds * 1000);
    signal?.addEventListener("abort", giveUp, { once: true });
  });
}

/**
 * Makes a call, and makes it again when a full server said when to.
 *
 * @param call makes it once.
 * @param signal gives up.
 * @param onWait hears for how many seconds it waits.
 */
export async function patiently<T>(
  call: () => Promise<T>,
  signal?: AbortSignal,
  onWait: (seconds: number) => void = () => undefined,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await call();
    } catch (error) {
      const delay = retryDelay(error);
      if (delay === undefined || delay > LONGEST || tries === TRIES || !isPassing(error)) throw error;
      const seconds = Math.max(SHORTEST * 2 ** (tries - 1), delay) * (1 + Math.random() / 2); // not all at the same time
      onWait(seconds);
      await pause(seconds, signal);
    }
  }
}

function isPassing(error: unknown): boolean {
  return hasCode(error, Code.ResourceExhausted) || hasCode(error, Code.Unavailable);
}
