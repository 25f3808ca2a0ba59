import { useEffect, useRef, useState } from "preact/hooks";
import type { Trouble } from "../api/troubles";
import { open } from "../opening";
import { blank, brushOf, encode } from "../photo/pictures";
import { say } from "../state";
import { FileButton } from "./controls";
import { CameraIcon, CloseIcon, TurnIcon } from "./icons";

type Facing = "user" | "environment";

/** A button that takes a photo: by the page's own camera, or by the phone's where the page may not have one. */
export function TakePhoto({ class: look = "", short = false }: { class?: string; short?: boolean }) {
  const [on, setOn] = useState(false);
  const words = (
    <>
      <CameraIcon />
      <span class={short ? "wide-only" : ""}>Take a photo</span>
    </>
  );
  if (!navigator.mediaDevices) {
    return (
      <FileButton class={look} capture onFile={open}>
        {words}
      </FileButton>
    );
  }
  return (
    <>
      <button type="button" class={`button ${look}`} aria-label="Take a photo" onClick={() => setOn(true)}>
        {words}
      </button>
      {on && <Camera onClose={() => setOn(false)} />}
    </>
  );
}

function Camera({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const video = useRef<HTMLVideoElement>(null);
  const [facing, setFacing] = useState<Facing>("environment");
  const [ready, setReady] = useState(false);
  const [problem, setProblem] = useState<Trouble | null>(null);

  useEffect(() => dialog.current?.showModal(), []);
  useEffect(() => {
    setReady(false);
    setProblem(null);
    return live(facing, video.current, setProblem);
  }, [facing]);

  const shoot = async () => {
    if (!video.current) return;
    const photo = await photoOf(video.current);
    dialog.current?.close();
    say("Photo taken.");
    void open(photo);
  };

  return (
    <dialog ref={dialog} class="camera" aria-label="Camera" onClose={onClose}>
      <video
        ref={video}
        class={facing === "user" ? "mirrored" : ""}
        autoplay
        playsInline
        muted
        aria-label="What the camera sees"
        onLoadedData={() => setReady(true)}
      />
      {!ready && !problem && <p class="camera-note">Waiting for the camera. The browser may ask whether it is allowed.</p>}
      {problem && (
        <div class="camera-note" role="alert">
          <strong>{problem.what}</strong>
          <p>{problem.next}</p>
          <FileButton class="primary" capture onFile={(file) => (dialog.current?.close(), void open(file))}>
            Choose a photo instead
          </FileButton>
        </div>
      )}
      <div class="camera-bar">
        <button type="button" class="round" aria-label="Close the camera" onClick={() => dialog.current?.close()}>
          <CloseIcon />
        </button>
        <button type="button" class="shutter" aria-label="Take the photo" disabled={!ready} onClick={() => void shoot()} />
        <button
          type="button"
          class="round"
          aria-label="Use the other camera"
          onClick={() => setFacing(facing === "user" ? "environment" : "user")}
        >
          <TurnIcon />
        </button>
      </div>
    </dialog>
  );
}

/** Shows what a camera sees; returns what ends it. */
function live(facing: Facing, video: HTMLVideoElement | null, onProblem: (problem: Trouble) => void): () => void {
  let stream: MediaStream | null = null;
  let over = false;
  const stop = (found: MediaStream | null) => found?.getTracks().forEach((track) => track.stop());
  navigator.mediaDevices
    .getUserMedia({ video: { facingMode: facing, width: { ideal: 4096 }, height: { ideal: 2160 } } })
    .then((found) => {
      if (over || !video) return stop(found);
      stream = found;
      video.srcObject = found;
    })
    .catch((error: unknown) => over || onProblem(problemOf(error)));
  return () => {
    over = true;
    stop(stream);
  };
}

function problemOf(error: unknown): Trouble {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError") {
    return {
      what: "The camera is not allowed.",
      next: "Allow it for this page in the browser’s address bar, or choose a photo.",
    };
  }
  if (name === "NotFoundError" || name === "OverconstrainedError") {
    return { what: "There is no camera here.", next: "Connect one, or choose a photo." };
  }
  return { what: "The camera cannot be used just now.", next: "Close what else may be using it, or choose a photo." };
}

async function photoOf(video: HTMLVideoElement): Promise<File> {
  const canvas = blank({ width: video.videoWidth, height: video.videoHeight });
  brushOf(canvas).drawImage(video, 0, 0);
  return new File([await encode(canvas, "image/jpeg", 0.95)], "camera.jpg", { type: "image/jpeg" });
}
