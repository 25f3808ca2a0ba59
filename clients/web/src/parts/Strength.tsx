import { choice, choose } from "../state";
import { Range } from "./controls";

/** How strongly the photo is painted. */
export function Strength() {
  const { style, strength } = choice.value;
  if (!style) return null;
  return (
    <Range
      label="Strength"
      value={Math.round(100 * strength)}
      max={100}
      step={1}
      text={`${Math.round(100 * strength)}%`}
      onChange={(value) => choose({ strength: value / 100 })}
    />
  );
}
