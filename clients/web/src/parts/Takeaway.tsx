import { useComputed, useSignal } from "@preact/signals";
import { job } from "../job/job";
import { canShare, finished, FORMATS, type Format, save } from "../painting/result";
import { painted, photo, say, showsJob, trouble } from "../state";
import { tellOf } from "../tell";
import { DownloadIcon, ShareIcon } from "./icons";

/** What to say where the browser shares only right after a tap, and painting in full size took longer. */
const ONCE_MORE = { what: "Your painting is ready now.", next: "Choose Share once more." };

/** Takes the painting away: in full size, as a file or to another app. */
export function Takeaway() {
  const format = useSignal<Format>(FORMATS[0]);
  const making = useSignal(false);
  const ready = useComputed(() => (showsJob.value ? job.value?.phase === "done" : painted.value !== null));
  const size = photo.value?.size;

  const make = async (use: (file: File) => unknown): Promise<void> => {
    making.value = true;
    say("Painting in full size.");
    try {
      await use(await finished(format.value));
      say("Your painting is ready.");
    } catch (error) {
      const name = error instanceof DOMException ? error.name : "";
      if (name === "NotAllowedError") trouble.value = ONCE_MORE;
      else if (name !== "AbortError") tellOf(error, () => void make(use)); // else they shared it with nobody
    } finally {
      making.value = false;
    }
  };

  return (
    <section class="takeaway" aria-label="Take it away">
      {photo.value?.note && <p class="hint">{photo.value.note}</p>}
      <label class="select">
        <span class="unseen">File format</span>
        <select
          value={format.value.type}
          onChange={({ currentTarget }) =>
            (format.value = FORMATS.find(({ type }) => type === currentTarget.value) ?? FORMATS[0])
          }
        >
          {FORMATS.map(({ name, type }) => (
            <option key={type} value={type}>
              {name}
            </option>
          ))}
        </select>
      </label>
      {canShare() && (
        <button
          type="button"
          class="button"
          aria-label="Share"
          disabled={!ready.value || making.value}
          onClick={() => void make((file) => navigator.share({ files: [file] }))}
        >
          <ShareIcon />
        </button>
      )}
      <button
        type="button"
        class="button primary grow"
        disabled={!ready.value || making.value}
        onClick={() => void make(save)}
      >
        <DownloadIcon />
        <span>
          {making.value ? "Painting in full size…" : "Download "}
          {!making.value && size && <small>{`${size.width} × ${size.height}`}</small>}
        </span>
      </button>
    </section>
  );
}
