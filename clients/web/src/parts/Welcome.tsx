import { open, openSample } from "../opening";
import { facts, hands, opening } from "../state";
import { TakePhoto } from "./Camera";
import { FileButton } from "./controls";
import { PictureIcon } from "./icons";
import { Wall } from "./Wall";

const SAMPLES = [
  { name: "astronaut", says: "an astronaut" },
  { name: "chelsea", says: "a cat" },
  { name: "coffee", says: "a cup of coffee" },
];

/** What the page shows before there is a photo. */
export function Welcome() {
  return (
    <main class="welcome" aria-busy={opening.value}>
      <div class="invitation">
        <h1>Your photo, in a painter’s hand</h1>
        <p class="lead">
          {hands.value.length > 1 ? `See it in ${hands.value.length} styles at once` : "See it painted"}
          {facts.value?.jobs ? ", or bring a painting of your own." : "."}
        </p>
        <div class="row">
          <FileButton class="primary large" onFile={open} describedBy="other-ways">
            <PictureIcon />
            {opening.value ? "Opening…" : "Choose a photo"}
          </FileButton>
          <TakePhoto class="large" />
        </div>
        <p id="other-ways" class="hint">
          <span class="only-with-mouse">Or drop one anywhere here, or paste it. </span>
          It goes to this server alone.
        </p>
        <h2 class="eyebrow">No photo at hand?</h2>
        <ul class="samples">
          {SAMPLES.map(({ name, says }) => (
            <li key={name}>
              <button type="button" class="sample" onClick={() => void openSample(name)}>
                <img src={`samples/${name}.jpg`} alt={`Try it with ${says}`} width="96" height="96" />
              </button>
            </li>
          ))}
        </ul>
      </div>
      <Wall />
    </main>
  );
}
