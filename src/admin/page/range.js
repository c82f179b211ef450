// How far back the strips go: as far as there is something to show, or as is chosen.

const CHOICES = [60, 300, 900];
const select = document.getElementById("range");

/** The longest, for which the points are kept. */
export const LONGEST = CHOICES.at(-1);

/** In seconds, for a strip whose first point is so old. */
export function rangeOf(age) {
  const chosen = Number(select.value);
  return chosen > 0 ? chosen : (CHOICES.find((seconds) => age <= seconds) ?? LONGEST);
}

/** As in `The last 5 minutes`. */
export const lasting = (seconds) => (seconds === 60 ? "minute" : `${seconds / 60} minutes`);

select.addEventListener("change", () => dispatchEvent(new Event("ranged")));
