import { useEffect, useId, useRef } from "preact/hooks";
import { takeToken } from "../api/client";
import { wantsToken } from "../state";

const TOKEN = /^[\x21-\x7e]+$/; // what a header can hold

/** Asks for the caller's token. */
export function TokenForm({ onToken }: { onToken: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => dialog.current?.showModal(), []);

  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const field = new FormData(event.currentTarget as HTMLFormElement).get("token");
    const text = typeof field === "string" ? field.trim() : "";
    if (!TOKEN.test(text)) {
      wantsToken.value = { wrong: true };
      return;
    }
    takeToken(text);
    wantsToken.value = null;
    onToken();
  };

  return (
    <dialog ref={dialog} class="sheet" aria-labelledby={`${id}-title`} onClose={() => (wantsToken.value = null)}>
      <form onSubmit={submit}>
        <h2 id={`${id}-title`}>This server wants a token</h2>
        <p id={`${id}-hint`}>
          Who runs it gives you one. It stays in this tab, and is sent to this server alone.
        </p>
        {wantsToken.value?.wrong && (
          <p class="wrong" role="alert">
            That token is not valid here. It may have run out; check it, or ask for a new one.
          </p>
        )}
        <label for={id}>Token</label>
        <input id={id} name="token" type="password" autocomplete="off" required aria-describedby={`${id}-hint`} />
        <div class="row end">
          <button type="button" class="button quiet" onClick={() => dialog.current?.close()}>
            Not now
          </button>
          <button type="submit" class="button primary">
            Use it
          </button>
        </div>
      </form>
    </dialog>
  );
}
