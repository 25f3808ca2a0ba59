import { trouble } from "../state";
import { CloseIcon } from "./icons";

/** What went wrong, and what to do; stays until it is closed or mended. */
export function Alert() {
  const now = trouble.value;
  const again = () => {
    trouble.value = null;
    now?.again?.();
  };
  return (
    <div class="alerts" role="alert">
      {now && (
        <div class="alert">
          <p>
            <strong>{now.what}</strong> {now.next}
          </p>
          {now.again && (
            <button type="button" class="button small" onClick={again}>
              Try again
            </button>
          )}
          <button type="button" class="round plain" aria-label="Close" onClick={() => (trouble.value = null)}>
            <CloseIcon />
          </button>
        </div>
      )}
    </div>
  );
}
