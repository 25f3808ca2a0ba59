import { credit } from "../painting/hands";
import { hands } from "../state";

/** The paintings whose hands can be had, hung as in a gallery. */
export function Wall() {
  return (
    <ul class="wall" aria-label="The paintings">
      {hands.value
        .filter((hand) => hand.picture)
        .map((hand) => (
          <li key={hand.id}>
            <img src={hand.picture} alt={`${hand.title} by ${credit(hand)}`} title={`${hand.title}, ${credit(hand)}`} />
          </li>
        ))}
    </ul>
  );
}
