import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

interface RangeProps {
  readonly label: ComponentChildren;
  readonly value: number;
  readonly onChange: (value: number) => void;
  readonly min?: number;
  readonly max?: number;
  readonly step?: number;
  /** What the value means, in words. */
  readonly text: string;
}

/** A slider with its name, and its value beside it. */
export function Range({ label, value, onChange, min = 0, max = 1, step = 0.01, text }: RangeProps) {
  const id = useId();
  const filled = (100 * (value - min)) / (max - min);
  return (
    <div class="range">
      <label for={id}>{label}</label>
      <span aria-hidden="true">{text}</span>
      <input
        id={id}
        type="range"
        min={min}
        max={max}
        step={step}
        value={value}
        aria-valuetext={text}
        style={{ "--filled": `${filled}%` }}
        onInput={(event) => onChange(event.currentTarget.valueAsNumber)}
      />
    </div>
  );
}

interface OneOfProps<T extends string> {
  readonly legend: string;
  readonly options: readonly (readonly [T, string])[];
  readonly value: T;
  readonly onChange: (value: T) => void;
}

/** One of a few, side by side. */
export function OneOf<T extends string>({ legend, options, value, onChange }: OneOfProps<T>) {
  const name = useId();
  return (
    <fieldset class="one-of">
      <legend>{legend}</legend>
      <div class="segments">
        {options.map(([option, words]) => (
          <label key={option}>
            <input
              type="radio"
              class="unseen"
              name={name}
              checked={option === value}
              onChange={() => onChange(option)}
            />
            <span>{words}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

interface SwitchProps {
  readonly label: string;
  readonly hint?: string;
  readonly on: boolean;
  readonly onChange: (on: boolean) => void;
}

export function Switch({ label, hint, on, onChange }: SwitchProps) {
  const hintId = useId();
  return (
    <label class="switch">
      <span>
        {label}
        {hint && (
          <small id={hintId} aria-hidden="true">
            {hint}
          </small>
        )}
      </span>
      <input
        type="checkbox"
        role="switch"
        class="unseen"
        aria-label={label}
        aria-description={hint}
        checked={on}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
      <span class="knob" aria-hidden="true" />
    </label>
  );
}

interface FileButtonProps {
  readonly children: ComponentChildren;
  readonly onFile: (file: File) => void;
  readonly class?: string;
  readonly capture?: boolean;
  readonly describedBy?: string;
}

/** A button that opens the browser's choice of files; or the camera app, on a phone. */
export function FileButton({ children, onFile, class: look = "", capture = false, describedBy }: FileButtonProps) {
  return (
    <label class={`button ${look}`}>
      {children}
      <input
        type="file"
        class="unseen"
        accept="image/*,.heic,.heif,.avif"
        {...(capture ? { capture: "environment" as const } : {})}
        {...(describedBy ? { "aria-describedby": describedBy } : {})}
        onChange={(event) => {
          const [file] = event.currentTarget.files ?? [];
          event.currentTarget.value = "";
          if (file) onFile(file);
        }}
      />
    </label>
  );
}
