import { cancel, dismiss } from "../job/desk";
import { isOver, job } from "../job/job";
import { wordsOf } from "./JobProgress";

/** The job in the panel: what becomes of it, and what can be done about it. */
export function JobCard() {
  const now = job.value;
  if (!now) return null;
  return (
    <div class="stack">
      <div class="easel-small">
        <img src={now.painting} alt="The painting that is learnt from" />
        <div>
          <p>
            <strong>{wordsOf(now)}</strong>
          </p>
          <p class="hint">{hintOf(now.phase, now.away)}</p>
        </div>
      </div>
      {now.trouble && (
        <p class="wrong" role="alert">
          <strong>{now.trouble.what}</strong> {now.trouble.next}
        </p>
      )}
      {now.notes.map((note) => (
        <p key={note} class="hint">
          {note}
        </p>
      ))}
      <div class="row">
        {isOver(now.phase) ? (
          <button type="button" class={now.phase === "done" ? "button" : "button primary"} onClick={dismiss}>
            {now.phase === "done" ? "Delete it, and begin another" : "Begin another"}
          </button>
        ) : (
          <button
            type="button"
            class="button"
            disabled={now.phase === "cancelling"}
            onClick={() => void cancel()}
          >
            Stop painting
          </button>
        )}
      </div>
    </div>
  );
}

function hintOf(phase: string, away: boolean): string {
  if (away) return "Your painting is safe there, and goes on when it is back.";
  if (phase === "done") return "Compare it with your photo, and download it below. It is kept for a while.";
  if (phase === "cancelled" || phase === "failed") return "Nothing of it is kept.";
  return "It goes on even if you close this page; open it again to see how far it is.";
}
