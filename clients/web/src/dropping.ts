import { signal } from "@preact/signals";
import { open } from "./opening";
import { bring } from "./parts/Own";
import { facts, tab } from "./state";

/** Whether a file is being dragged over the page. */
export const dragging = signal(false);

/** Takes files that are dropped anywhere on the page, or pasted. */
export function takeDropped(): void {
  addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    dragging.value = true;
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) dragging.value = false;
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    dragging.value = false;
    take(event.dataTransfer?.files[0]);
  });
  addEventListener("paste", (event) => take(event.clipboardData?.files[0]));
}

function take(file: File | undefined): void {
  if (!file || !facts.value) return;
  void (tab.value === "own" ? bring(file) : open(file));
}
