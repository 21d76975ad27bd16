// Health, looked at anew every ten seconds; only what is different is drawn again.
"use strict";

(() => {
  const health = document.querySelector("[data-health]");
  if (!health) return;
  const EVERY_MS = 10000;
  const SIGNS = { good: "✓ ", bad: "! " };
  const find = (selector) => document.querySelector(selector);
  const setText = (element, text) => {
    if (element && element.textContent !== text) element.textContent = text;
  };

  const cells = (line) => {
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = line.label;
    const value = document.createElement("td");
    if (line.sign) {
      const state = document.createElement("span");
      state.className = `state ${line.sign === "good" ? "on" : "off"}`;
      state.textContent = SIGNS[line.sign] + line.value;
      value.append(state);
    } else {
      value.textContent = line.value;
    }
    const note = document.createElement("td");
    note.className = "dim";
    note.textContent = line.note;
    return [head, value, note];
  };
  const drawn = new Map();
  const drawTable = (table) => {
    const element = find(`[data-table="${table.key}"]`);
    const empty = find(`[data-empty="${table.key}"]`);
    if (!element) return;
    element.hidden = !table.lines.length;
    if (empty) empty.hidden = Boolean(table.lines.length);
    const before = drawn.get(table.key) ?? [];
    const body = element.tBodies[0] ?? element.createTBody();
    table.lines.forEach((line, index) => {
      const text = JSON.stringify(line);
      if (before[index] === text) return;
      const row = body.rows[index] ?? body.insertRow();
      row.replaceChildren(...cells(line));
    });
    while (body.rows.length > table.lines.length) body.deleteRow(-1);
    drawn.set(table.key, table.lines.map((line) => JSON.stringify(line)));
  };
  const drawVerdict = ({ well, sentence, faults, notes }) => {
    find("[data-headline]").className = `headline ${well ? "good" : "bad"}`;
    setText(find("[data-headline] .sign"), well ? "✓" : "!");
    setText(find("[data-sentence]"), sentence);
    const texts = [...(faults.length > 1 ? faults.map((text) => `! ${text}`) : []), ...notes];
    const list = find("[data-faults]");
    list.hidden = !texts.length;
    if (JSON.stringify(texts) === list.dataset.shown) return;
    list.dataset.shown = JSON.stringify(texts);
    list.replaceChildren(...texts.map((text) => {
      const item = document.createElement("li");
      item.textContent = text;
      return item;
    }));
  };
  const look = async () => {
    try {
      const answer = await fetch(health.dataset.health, { headers: { accept: "application/json" } });
      if (answer.status === 401) {
        location.reload();
        return;
      }
      if (!answer.ok) throw new Error(answer.statusText);
      const found = await answer.json();
      drawVerdict(found.verdict);
      found.tables.forEach(drawTable);
      setText(find("[data-at]"), found.at_shown);
      setText(find("[data-stale]"), "");
    } catch {
      setText(find("[data-stale]"), ": the console cannot be reached since then");
    }
  };
  setInterval(() => { if (!document.hidden) look(); }, EVERY_MS);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
})();
