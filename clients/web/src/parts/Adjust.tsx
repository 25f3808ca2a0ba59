import { thumbs } from "../painting/thumbs";
import { chosenHand, choice, choose, handOf, hands, keepsColours, showsJob, tab } from "../state";
import type { Strokes } from "../painting/choice";
import { OneOf, Range, Switch } from "./controls";

const STROKES: readonly (readonly [Strokes, string])[] = [
  ["fine", "Fine"],
  ["medium", "Medium"],
  ["broad", "Broad"],
];

/** What can be changed about a painting in a trained style. */
export function Adjust() {
  if (!choice.value.style || showsJob.value) {
    return (
      <div class="empty">
        <p>Choose a style first; here you blend it with another, set its brush strokes, and keep the photo’s colours.</p>
        <button type="button" class="button" onClick={() => (tab.value = "styles")}>
          To the styles
        </button>
      </div>
    );
  }
  return (
    <div class="stack">
      <Switch
        label="Keep the photo’s colours"
        hint="The painting’s brushwork, your photo’s colours"
        on={keepsColours.value}
        onChange={(on) => (keepsColours.value = on)}
      />
      <OneOf
        legend="Brush strokes"
        options={STROKES}
        value={choice.value.strokes}
        onChange={(strokes) => choose({ strokes })}
      />
      <Blend />
    </div>
  );
}

function Blend() {
  const first = chosenHand.value;
  const second = handOf(choice.value.second);
  const others = hands.value.filter((hand) => hand.id !== first?.id && hand.transformer === first?.transformer);
  if (!first || !others.length) return null;
  const percent = Math.round(100 * choice.value.mix);
  return (
    <fieldset class="blend">
      <legend>Blend with a second style</legend>
      <div class="strip">
        <Option id="" title="None" />
        {others.map((hand) => (
          <Option key={hand.id} id={hand.id} title={hand.title} picture={thumbs.value.get(hand.id) ?? hand.picture} />
        ))}
      </div>
      {second && (
        <Range
          label={`Share of ${second.title}`}
          value={percent}
          max={100}
          step={1}
          text={`${percent}%`}
          onChange={(value) => choose({ mix: value / 100 })}
        />
      )}
    </fieldset>
  );
}

function Option({ id, title, picture = "" }: { id: string; title: string; picture?: string }) {
  return (
    <label class="option" title={title}>
      <input
        type="radio"
        class="unseen"
        name="second"
        aria-label={title}
        checked={choice.value.second === id}
        onChange={() => choose({ second: id })}
      />
      <span class="thumb">{picture ? <img src={picture} alt="" /> : <span class="none">None</span>}</span>
    </label>
  );
}
