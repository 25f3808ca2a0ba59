import { batch, effect } from "@preact/signals";
import { stylizer } from "../api/client";
import { patiently } from "../api/patience";
import { isCancelled } from "../api/troubles";
import { calm } from "../calm";
import type { Photo } from "../photo/photo";
import { decodeTo } from "../photo/pictures";
import { choice, facts, handOf, painted, painting, photo, say, trouble, wipe } from "../state";
import { tellOf } from "../tell";
import { type Choice, styleOf, workingSize } from "./choice";

const DEBOUNCE = 90; // ms between a slider's last move and the request
const TIMEOUT = 60_000; // ms

interface Order {
  readonly photo: Photo;
  readonly choice: Choice;
}

let next: Order | null = null;
let running: { readonly order: Order; readonly abort: AbortController } | null = null;
let timer = 0;

/** Paints the photo large, in the chosen style, whenever either changes. */
export function keepPainting(): void {
  effect(() => {
    const order = photo.value && choice.value.style ? { photo: photo.value, choice: choice.value } : null;
    clearTimeout(timer);
    next = order;
    if (running && (!order || isOther(running.order, order))) running.abort.abort();
    painting.value = order !== null;
    if (order) timer = window.setTimeout(() => void begin(), running ? DEBOUNCE : 0);
  });
}

/** Whether what is being painted would be of no use for another order: then it is given up, else shown on the way. */
function isOther(one: Order, other: Order): boolean {
  return one.photo !== other.photo || one.choice.style !== other.choice.style;
}

async function begin(): Promise<void> {
  if (running && !running.abort.signal.aborted) return; // goes on with the next when it is done
  const order = next;
  if (!order) return;
  next = null;
  const mine = { order, abort: new AbortController() };
  running = mine;
  await paint(order, mine.abort.signal);
  if (running !== mine) return;
  running = null;
  if (next) void begin();
}

async function paint(order: Order, signal: AbortSignal): Promise<void> {
  try {
    const file = await paintedFile(order, signal);
    const picture = await decodeTo(file, Math.max(order.photo.preview.width, order.photo.preview.height));
    if (!signal.aborted) show(order, picture);
  } catch (error) {
    if (signal.aborted || isCancelled(error)) return;
    painting.value = false;
    tellOf(error, () => retry(order));
  }
}

async function paintedFile(order: Order, signal: AbortSignal): Promise<Blob> {
  const request = {
    image: order.photo.previewFile,
    style: styleOf(order.choice),
    strength: order.choice.strength,
    workingSize: workingSize(order.choice, order.photo.size, facts.value?.max_working_size ?? Infinity),
  };
  const call = () => stylizer.stylize(request, { signal, timeoutMs: TIMEOUT });
  const reply = await patiently(call, signal, (seconds) => say(`The server is busy; trying again in ${waitOf(seconds)}.`));
  return new Blob([reply.image as Uint8Array<ArrayBuffer>], { type: "image/jpeg" });
}

function show(order: Order, picture: HTMLCanvasElement): void {
  const first = !painted.value;
  batch(() => {
    painted.value = picture;
    trouble.value = null;
    if (!next) painting.value = false;
  });
  if (!next) say(`Painted as ${handOf(order.choice.style)?.title ?? "chosen"}.`);
  if (first) reveal();
}

function retry(order: Order): void {
  next = order;
  painting.value = true;
  void begin();
}

function waitOf(seconds: number): string {
  const whole = Math.ceil(seconds);
  return whole === 1 ? "a second" : `${whole} seconds`;
}

const REVEAL = 900; // ms

/** Wipes the photo away, from right to left. */
function reveal(): void {
  if (calm()) {
    wipe.value = 0;
    return;
  }
  const begun = performance.now();
  const step = (now: number) => {
    const done = Math.min(1, Math.max(0, (now - begun) / REVEAL));
    wipe.value = Math.round(100 * (1 - done) ** 3);
    if (done < 1) requestAnimationFrame(step);
  };
  wipe.value = 100;
  requestAnimationFrame(step);
}
