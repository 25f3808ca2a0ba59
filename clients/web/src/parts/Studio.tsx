import { useEffect, useRef } from "preact/hooks";
import { arrival } from "../opening";
import type { Photo } from "../photo/photo";
import { Easel } from "./Easel";
import { Panel } from "./Panel";

/** The page once there is a photo. */
export function Studio({ photo }: { photo: Photo }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus({ preventScroll: true }), [arrival.value]);
  return (
    <main class="studio" style={{ "--ratio": photo.preview.width / photo.preview.height }}>
      <h1 ref={heading} class="unseen" tabIndex={-1}>
        {photo.name} on the easel
      </h1>
      <Easel key={arrival.value} photo={photo} />
      <Panel />
    </main>
  );
}
