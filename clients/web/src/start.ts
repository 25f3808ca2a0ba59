import { batch, signal } from "@preact/signals";
import { token } from "./api/client";
import { loadFacts } from "./api/facts";
import { pause } from "./api/patience";
import { isAway, retryDelay } from "./api/troubles";
import { resume } from "./job/desk";
import { paintThumbs } from "./painting/thumbs";
import { loadHands } from "./painting/hands";
import { choose, facts, hands, photo, wantsToken } from "./state";
import { tellOf } from "./tell";

const PAUSE = 1; // s, between two tries to reach the server

/** What keeps the page from beginning: a server that does not answer, or one that is not ready yet. */
export const waitsFor = signal<"nothing" | "server" | "warming">("nothing");

/** Learns what the server can do; tried until it answers. */
export async function start(): Promise<void> {
  for (;;) {
    try {
      facts.value = await loadFacts();
      if (facts.value.token_needed && !token.value) {
        waitsFor.value = "nothing";
        wantsToken.value = { wrong: false };
        return;
      }
      await arrive();
      return;
    } catch (error) {
      if (!isAway(error)) return tellOf(error, () => void start());
      waitsFor.value = retryDelay(error) === undefined ? "server" : "warming";
      await pause(PAUSE);
    }
  }
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
