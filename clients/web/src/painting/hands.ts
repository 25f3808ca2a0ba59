import { stylizer } from "../api/client";
import type { Style } from "../gen/impasto/v1/stylizer_pb";

/** A painter's hand: a trained style, as the page shows it. */
export interface Hand {
  readonly id: string;
  readonly title: string;
  readonly artist: string;
  readonly year: string;
  /** The address of a picture of the painting, or "". */
  readonly picture: string;
  /** What it is painted by; hands can be blended where it is the same. */
  readonly transformer: string;
}

/** The addresses of the pictures that were loaded last. */
let pictures: readonly string[] = [];

/** Fetches every style that the server has. */
export async function loadHands(): Promise<Hand[]> {
  const styles: Style[] = [];
  let pageToken = "";
  do {
    const page = await stylizer.listStyles({ pageToken, includeThumbnails: true });
    styles.push(...page.styles);
    pageToken = page.nextPageToken;
  } while (pageToken);
  for (const picture of pictures) URL.revokeObjectURL(picture);
  const hands = styles.map(handFrom);
  pictures = hands.map((hand) => hand.picture).filter(Boolean);
  return hands;
}

/** Returns how a label on a gallery's wall would name it. */
export function credit(hand: Hand): string {
  return [hand.artist, hand.year].filter(Boolean).join(", ");
}

function handFrom(style: Style): Hand {
  const thumbnail = style.thumbnail as Uint8Array<ArrayBuffer>;
  return {
    id: style.styleId,
    title: style.title || style.styleId,
    artist: style.artist,
    year: style.year,
    picture: thumbnail.length ? URL.createObjectURL(new Blob([thumbnail], { type: "image/jpeg" })) : "",
    transformer: style.transformerDigest,
  };
}
