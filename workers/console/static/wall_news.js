// What stands beside the pictures: who was seen, and which alerts wait for somebody.
import { keyOf, words } from "./wall_words.js";

const KEPT_SIGHTINGS = 40;
const KEPT_ALERTS = 5;
const SEVERITIES = { info: "i info", warning: "▲ warning", critical: "‼ critical" };

const made = (tag, className, text) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.textContent = text;
  return element;
};
const linked = (address, ...parts) => {
  const link = document.createElement("a");
  link.href = address;
  link.append(...parts);
  return link;
};
const found = (list, name, value) => [...list.children].find((item) => item.dataset[name] === value);
const begun = (list, name, value, most) => {
  const item = document.createElement("li");
  item.dataset[name] = value;
  list.prepend(item);
  while (list.children.length > most) list.lastElementChild.remove();
  return item;
};

export class Seen {
  // `list` is null for users who may not know who is seen; `quiet` says that nobody was.
  constructor(list, quiet, time) {
    this.list = list;
    this.quiet = quiet;
    this.time = time;
    for (const moment of list?.querySelectorAll("time") ?? []) moment.textContent = time(Date.parse(moment.dateTime));
  }

  take(message) {
    if (!this.list || !message.decision || message.outcome === "low_quality") return;
    const key = keyOf(message);
    const item = found(this.list, "track", key) ?? begun(this.list, "track", key, KEPT_SIGHTINGS);
    if (this.quiet) this.quiet.hidden = true;
    item.className = message.outcome;
    if (message.revision !== "end" && message.age_ms !== null) item.dataset.age = (message.age_ms / 1000).toFixed(1);
    const at = message.last_seen_at ? Date.parse(message.last_seen_at) : message.at_ns / 1e6;
    const age = item.dataset.age ? `, decided after ${item.dataset.age} s` : "";
    item.replaceChildren(
      linked(
        `/sightings/${encodeURIComponent(message.decision)}`,
        made("span", `outcome ${message.outcome}`, words(message.outcome)), " ", ...this.who(message),
      ),
      made("span", "dim", `${message.camera}, ${this.time(at)}${age}`),
    );
  }

  who(message) {
    if (message.name) return [made("strong", "", message.name)];
    return message.nearest && message.outcome !== "unknown" ? [`nearest: ${message.nearest}`] : [];
  }

  gap() {
    if (!this.list) return;
    const item = document.createElement("li");
    item.append(linked("/sightings", "Some of what was seen is missing here: all sightings"));
    this.list.prepend(item);
  }
}

export class Alerts {
  constructor(list, time) {
    this.list = list;
    this.time = time;
  }

  // Those that wait already.
  async load(address) {
    const answer = await fetch(`${address}?state=open&limit=${KEPT_ALERTS}`);
    if (!answer.ok) return;
    const { alerts } = await answer.json();
    for (const one of alerts.reverse()) {
      this.take({ ...one, alert_id: one.id, suspected: one.attack_suspected, at_ns: Date.parse(one.last_at) * 1e6 });
    }
  }

  // Whether it was not there before.
  take(message) {
    const key = String(message.alert_id);
    const known = found(this.list, "alert", key);
    if (message.state !== "open") {
      known?.remove();
      return false;
    }
    const item = known ?? begun(this.list, "alert", key, KEPT_ALERTS);
    item.className = message.severity;
    const whom = message.suspected && message.name ? `attack suspected, as ${message.name}` : message.name;
    const where = [message.camera, this.time(message.at_ns / 1e6)].filter(Boolean).join(", ");
    item.replaceChildren(
      made("span", "severity", SEVERITIES[message.severity] ?? message.severity),
      linked(`/alerts/${encodeURIComponent(key)}`, [message.rule, whom].filter(Boolean).join(": ")),
      made("span", "dim", where),
    );
    return !known;
  }
}
