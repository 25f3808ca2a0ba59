import { Code } from "@connectrpc/connect";
import { batch, signal } from "@preact/signals";
import { token } from "./api/client";
import { loadFacts } from "./api/facts";
import { pause } from "./api/patience";
import { hasCode, isAway, retryDelay } from "./api/troubles";
import { resume } from "./job/desk";
import { paintThumbs } from "./painting/thumbs";
import { loadHands } from "./painting/hands";
import { choose, facts, hands, photo, wantsToken } from "./state";
import { tellOf } from "./tell";

const PAUSE = 1; // s, between two tries to reach the server

/** What keeps the page from beginning: a server that does not answer or is not ready yet, or a token. */
export const waitsFor = signal<"nothing" | "server" | "warming" | "token">("nothing");

/** Learns what the server can do; tried until it answers. */
export async function start(): Promise<void> {
  waitsFor.value = "nothing";
  for (;;) {
    try {
      facts.value = await loadFacts();
      return await (facts.value.token_needed && !token.value ? askForToken() : arrive());
    } catch (error) {
      if (hasCode(error, Code.Unauthenticated)) waitsFor.value = "token";
      if (!isAway(error)) return tellOf(error, () => void start());
      waitsFor.value = retryDelay(error) === undefined ? "server" : "warming";
      await pause(PAUSE);
    }
  }
}

function askForToken(): void {
  waitsFor.value = "token";
  wantsToken.value = { wrong: false };
}

async function arrive(): Promise<void> {
  const loaded = await loadHands();
  batch(() => {
    hands.value = loaded;
    waitsFor.value = "nothing";
  });
  if (!photo.value) return resume();
  paintThumbs(photo.value);
  choose({}); // which paints it large once more
}
