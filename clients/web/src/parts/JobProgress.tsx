import { type Job, job } from "../job/job";
import { timeLeft } from "../job/words";

/** How far the job is, beside its picture. */
export function JobProgress() {
  const now = job.value;
  if (!now) return null;
  return (
    <div class="progress">
      <div class="progress-words">
        <span>{wordsOf(now)}</span>
        {now.phase === "running" && !now.away && now.secondsLeft !== null && <span>{timeLeft(now.secondsLeft)}</span>}
      </div>
      {!["done", "failed", "cancelled"].includes(now.phase) && <Meter job={now} />}
    </div>
  );
}

function Meter({ job: { step, steps } }: { job: Job }) {
  return steps ? (
    <progress aria-label="Painted so far" max={steps} value={step} />
  ) : (
    <progress aria-label="Painted so far" />
  );
}

/** Returns how a job is doing. */
export function wordsOf(now: Job): string {
  if (now.away) return "The server does not answer; trying again…";
  switch (now.phase) {
    case "sending":
      return "Sending your photo and painting…";
    case "queued":
      return "Waiting for its turn…";
    case "running":
      return now.steps ? `${Math.round((100 * now.step) / now.steps)}% painted` : "Looking at the painting…";
    case "fetching":
      return "Fetching the painting…";
    case "cancelling":
      return "Stopping…";
    case "cancelled":
      return "Stopped";
    case "failed":
      return "It could not be painted";
    case "done":
      return "Done";
  }
}
