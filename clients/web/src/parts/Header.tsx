import { open } from "../opening";
import { facts, opening, photo, wantsToken } from "../state";
import { TakePhoto } from "./Camera";
import { FileButton } from "./controls";
import { KeyIcon, PictureIcon } from "./icons";

export function Header() {
  return (
    <header class="bar">
      <p class="mark">
        Impasto <span class={photo.value ? "wide-only" : ""}>studio</span>
      </p>
      <div class="row">
        {facts.value?.token_needed && (
          <button
            type="button"
            class="button quiet"
            aria-label="Change the token"
            onClick={() => (wantsToken.value = { wrong: false })}
          >
            <KeyIcon />
            <span class="wide-only">Token</span>
          </button>
        )}
        {photo.value && (
          <>
            <TakePhoto class="quiet" short />
            <FileButton class="quiet" onFile={open}>
              <PictureIcon />
              {opening.value ? "Opening…" : "New photo"}
            </FileButton>
          </>
        )}
      </div>
    </header>
  );
}
