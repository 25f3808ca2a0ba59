import { credit, type Hand } from "../painting/hands";
import { thumbs } from "../painting/thumbs";
import { choice, choose, facts, hands, showsJob, tab } from "../state";
import { PlusIcon } from "./icons";

/** The photo in every style, small: one is chosen. */
export function Gallery() {
  const take = (hand: Hand) => {
    showsJob.value = false;
    choose({ style: hand.id, second: choice.value.second === hand.id ? "" : choice.value.second });
  };
  return (
    <fieldset class="gallery">
      <legend class="unseen">Style</legend>
      {hands.value.map((hand) => (
        <Card key={hand.id} hand={hand} chosen={!showsJob.value && choice.value.style === hand.id} onChoose={take} />
      ))}
      {facts.value?.jobs && (
        <button type="button" class="card own" onClick={() => (tab.value = "own")}>
          <span class="thumb">
            <PlusIcon />
          </span>
          <span class="title">Any painting</span>
          <span class="artist">Bring your own</span>
        </button>
      )}
    </fieldset>
  );
}

interface CardProps {
  readonly hand: Hand;
  readonly chosen: boolean;
  readonly onChoose: (hand: Hand) => void;
}

function Card({ hand, chosen, onChoose }: CardProps) {
  const thumb = thumbs.value.get(hand.id);
  return (
    <label class="card">
      <input type="radio" class="unseen" name="style" checked={chosen} onChange={() => onChoose(hand)} />
      <span class={thumb ? "thumb" : "thumb waiting"}>
        {(thumb ?? hand.picture) && <img src={thumb ?? hand.picture} alt="" />}
        {thumb && hand.picture && <img class="original" src={hand.picture} alt="" />}
      </span>
      <span class="title">{hand.title}</span>
      <span class="artist">{credit(hand)}</span>
    </label>
  );
}
