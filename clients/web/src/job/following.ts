import { Code } from "@connectrpc/connect";
import { operations, stylizer } from "../api/client";
import { pause } from "../api/patience";
import { hasCode, isAway, troubleOf } from "../api/troubles";
import { Stylization_State, type WatchStylizationResponse } from "../gen/impasto/v1/stylizer_pb";
import { decodeTo } from "../photo/pictures";
import { say } from "../state";
import { tellOf } from "../tell";
import { change, isOver, job } from "./job";
import { forget } from "./memory";

const PREVIEW_INTERVAL = { seconds: 0n, nanos: 400_000_000 };
const FIRST_PAUSE = 0.5; // s
const LONGEST_PAUSE = 5; // s

/** Follows a job to its end, whatever becomes of the connection. */
export async function follow(name: string, signal: AbortSignal): Promise<void> {
  let wait = FIRST_PAUSE;
  while (!signal.aborted) {
    try {
      for await (const update of stylizer.watchStylization({ name, previewInterval: PREVIEW_INTERVAL }, { signal })) {
        wait = FIRST_PAUSE;
        await take(update, signal);
      }
      if (await ended(name, signal)) return;
    } catch (error) {
      if (signal.aborted || failed(error, name, signal)) return;
    }
    await pause(wait, signal).catch(() => undefined);
    wait = Math.min(LONGEST_PAUSE, wait * 1.6);
  }
}

async function take(update: WatchStylizationResponse, signal: AbortSignal): Promise<void> {
  const { state = Stylization_State.QUEUED, progress, notes = [] } = update.stylization ?? {};
  const left = progress?.timeLeft;
  tellOfProgress(progress?.step ?? 0, progress?.totalSteps ?? 0);
  change({
    phase: phaseOf(state),
    step: progress?.step ?? 0,
    steps: progress?.totalSteps ?? 0,
    secondsLeft: left ? Number(left.seconds) + left.nanos / 1e9 : null,
    notes,
    away: false,
  });
  if (update.preview.length) {
    const file = new Blob([update.preview as Uint8Array<ArrayBuffer>], { type: "image/jpeg" });
    const picture = await decodeTo(file, Infinity);
    if (!signal.aborted) change({ picture });
  }
}

function phaseOf(state: Stylization_State) {
  if (job.value?.phase === "cancelling" && state !== Stylization_State.CANCELLED) return "cancelling";
  switch (state) {
    case Stylization_State.RUNNING:
      return "running";
    case Stylization_State.SUCCEEDED:
      return "fetching";
    case Stylization_State.CANCELLED:
      return "cancelled";
    default:
      return "queued"; // a failed one too, until the reason has been fetched
  }
}

let quarter = 0;

function tellOfProgress(step: number, steps: number): void {
  const now = steps ? Math.floor((4 * step) / steps) : 0;
  if (now > quarter && now < 4) say(`A ${["", "quarter", "half", "three-quarter"][now]} of the painting is done.`);
  quarter = now;
}

/** Whether the job is over; then what there is to fetch has been fetched. */
async function ended(name: string, signal: AbortSignal): Promise<boolean> {
  const operation = await operations.getOperation({ name }, { signal });
  if (!operation.done) return false;
  if (operation.result.case === "error") end(operation.result.value.code, operation.result.value.message);
  else await fetchResult(name, signal);
  return true;
}

function end(code: number, message: string): void {
  forget();
  if (code === Code.Canceled) {
    change({ phase: "cancelled", secondsLeft: null });
    say("The painting was stopped.");
    return;
  }
  const said = message.replace(/\.?$/, ".");
  const trouble = { what: "The painting could not be made.", next: `${said} Try another picture, or less care.` };
  change({ phase: "failed", secondsLeft: null, trouble });
}

async function fetchResult(name: string, signal: AbortSignal): Promise<void> {
  change({ phase: "fetching", secondsLeft: null, away: false });
  const file = await resultOf(name, signal);
  const shown = job.value?.photo.preview;
  const picture = await decodeTo(file, shown ? Math.max(shown.width, shown.height) : Infinity);
  if (signal.aborted) return;
  change({ phase: "done", file, picture });
  forgetResult();
  say("Your painting is done.");
}

const parts: { name: string; data: Uint8Array<ArrayBuffer>[] } = { name: "", data: [] };

/** Lets go of what has been fetched of a result. */
export function forgetResult(): void {
  Object.assign(parts, { name: "", data: [] });
}

/** Returns the result; what arrived before a connection broke is not fetched again. */
async function resultOf(name: string, signal: AbortSignal): Promise<Blob> {
  if (parts.name !== name) Object.assign(parts, { name, data: [] });
  const readOffset = BigInt(parts.data.reduce((sum, part) => sum + part.length, 0));
  for await (const { data } of stylizer.readStylization({ name, readOffset }, { signal })) {
    parts.data.push(data as Uint8Array<ArrayBuffer>);
  }
  return new Blob(parts.data, { type: "image/jpeg" });
}

/** Whether an error ends the following; else it goes on when the server is back. */
function failed(error: unknown, name: string, signal: AbortSignal): boolean {
  if (job.value && isOver(job.value.phase)) return true;
  if (hasCode(error, Code.NotFound)) {
    forget();
    const what = "The server does not know this painting any more.";
    change({ phase: "failed", trouble: { what, next: "It was deleted, or kept for as long as it was to be. Paint it again." } });
    return true;
  }
  if (hasCode(error, Code.Unauthenticated)) {
    tellOf(error);
    change({ away: true });
    return false;
  }
  if (isAway(error) || hasCode(error, Code.ResourceExhausted) || hasCode(error, Code.Unknown)) {
    if (!job.value?.away) say("The server does not answer. Your painting goes on when it is back.");
    change({ away: true });
    return false;
  }
  change({ phase: "failed", trouble: troubleOf(error, () => void follow(name, signal)) });
  return true;
}
