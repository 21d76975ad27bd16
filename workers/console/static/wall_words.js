// How the wall says outcomes, states of cameras, and times.
const SIGNS = { known: "✓", unknown: "?", ambiguous: "≈", low_quality: "–", suspected_attack: "!" };
const COLOURS = { known: "--good", unknown: "--calm", ambiguous: "--warn", low_quality: "--dim", suspected_attack: "--bad" };

export const STATES = {
  starting: "is being opened", live: "live", lost: "no pictures", failed: "cannot be watched",
  elsewhere: "read elsewhere", ended: "ended",
};

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
export const colourOf = (outcome) => colour(COLOURS[outcome]);
export const words = (outcome) => outcome.replace("_", " ");
export const keyOf = ({ camera, epoch, track }) => `${camera}:${epoch}:${track}`;

// What stands at a face that was decided on.
export const labelOf = (said) => {
  const suspected = said.outcome === "suspected_attack" && said.nearest;
  const name = said.name ?? (suspected ? `suspected attack, as ${said.nearest}` : null);
  return `${SIGNS[said.outcome]} ${name ?? words(said.outcome)}`;
};

// In the zone of the console, as on all pages; the date only where it is not today's.
export const clockOf = (zone) => {
  const clock = new Intl.DateTimeFormat("sv", { timeZone: zone, dateStyle: "short", timeStyle: "medium" }); // writes ISO 8601
  return (ms) => {
    const [date, hour] = clock.format(ms).split(" ");
    return clock.format(Date.now()).startsWith(date) ? hour : `${date} ${hour}`;
  };
};
