// Keys, rows that open, and photographs judged before they are sent. Every page works without it.
"use strict";

(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (selector, root = document) => root.querySelector(selector);

  // Rows

  let here = null; // the link of the row that the keys are at
  document.addEventListener("click", (event) => {
    if (event.target.closest("a, button, input, select, label")) return;
    const row = event.target.closest("tr");
    if (row) one("[data-row]", row)?.click();
  });
  const mark = (link) => {
    for (const row of all("tr.here")) row.classList.remove("here");
    here = link;
    here?.closest("tr").classList.add("here");
  };
  const move = (step) => {
    const links = all("[data-row]");
    if (!links.length) return;
    mark(links[Math.min(Math.max(links.indexOf(here) + step, 0), links.length - 1)]);
    here.focus({ preventScroll: true });
    here.closest("tr").scrollIntoView({ block: "nearest" });
  };
  document.addEventListener("pinwatch:drawn", () => mark(all("[data-row]").find((link) => link.href === here?.href)));

  one(".bar nav a[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

  // Keys

  const keys = one("#keys");
  for (const button of all("[data-keys]")) {
    button.hidden = false;
    button.addEventListener("click", () => keys.showModal());
  }
  const actions = {
    j: () => move(1),
    k: () => move(-1),
    n: () => one("[data-next]")?.click(),
    b: () => one("[data-back]")?.click(),
    "/": () => one("[data-search]")?.focus(),
    "?": () => keys.showModal(),
  };
  let going = false;
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=checkbox]), select, textarea, dialog");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (going) {
      going = false;
      all("[data-go]").find((link) => link.dataset.go === event.key)?.click();
      return;
    }
    if (event.key === "g") {
      going = true;
      setTimeout(() => { going = false; }, 1500);
      return;
    }
    const action = actions[event.key];
    if (action) {
      event.preventDefault();
      action();
    }
  });

  // What cannot be undone is asked about

  for (const form of all("form[data-confirm]")) {
    form.addEventListener("submit", (event) => {
      if (!window.confirm(form.dataset.confirm)) event.preventDefault();
    });
  }

  // Enrolling

  const enroll = one("form[data-enroll]");
  if (enroll) {
    const list = one("[data-results]", enroll);
    const photos = one("input[type=file]", enroll);
    const token = one("input[name=form_token]", enroll).value;

    const send = async (path, fields) => {
      const body = new FormData();
      for (const [name, value] of fields) body.append(name, value);
      try {
        const answer = await fetch(path, { method: "POST", body, headers: { "X-Form-Token": token } });
        const result = await answer.json();
        if (answer.ok) return Array.isArray(result) ? result[0] : result;
        return { status: "refused", detail: result.detail };
      } catch {
        return { status: "refused", detail: "The console cannot be reached: try again." };
      }
    };
    const line = (item, text, dim = false) => {
      const part = document.createElement("div");
      part.textContent = text;
      if (dim) part.className = "dim";
      item.append(part);
    };
    const show = (item, file, result) => {
      item.className = result.status;
      item.replaceChildren();
      const quality = result.quality == null ? "" : `, quality ${result.quality.toFixed(2)}`;
      line(item, `${file.name}: ${result.status}${quality}`);
      if (result.detail) line(item, result.detail);
      if (result.resembles) {
        const link = document.createElement("a");
        link.href = `/people/${encodeURIComponent(result.resembles)}`;
        link.textContent = "Show who it looks like";
        item.append(link);
      }
      if (result.advice) line(item, result.advice, true);
      if (result.subject_id) {
        const link = document.createElement("a");
        link.href = `/people/${encodeURIComponent(result.subject_id)}`;
        link.textContent = "Show";
        item.append(link);
      }
    };
    const wait = (item, file, what) => {
      item.className = "";
      item.textContent = `${file.name}: ${what}…`;
    };
    const send_photo = async (item, file, nevertheless) => {
      wait(item, file, "being enrolled");
      const fields = [["name", enroll.elements.namedItem("name").value], ["photos", file]];
      if (enroll.elements.namedItem("largest").checked) fields.push(["largest", "true"]);
      if (nevertheless || enroll.elements.namedItem("allow_lookalike").checked) {
        fields.push(["allow_lookalike", "true"]);
      }
      const result = await send(enroll.dataset.enroll, fields);
      show(item, file, result);
      if (result.reason === "lookalike") {
        const button = document.createElement("button");
        button.type = "button";
        button.className = "danger";
        button.textContent = "These are two people: enroll nevertheless";
        button.addEventListener("click", () => send_photo(item, file, true));
        item.append(button);
      }
    };
    const items = () => [...photos.files].map((file) => {
      const item = document.createElement("li");
      list.append(item);
      return [item, file];
    });

    photos.addEventListener("change", async () => {
      list.replaceChildren();
      for (const [item, file] of items()) {
        wait(item, file, "being looked at");
        show(item, file, await send(enroll.dataset.check, [["photo", file]]));
      }
    });
    enroll.addEventListener("submit", async (event) => {
      event.preventDefault();
      list.replaceChildren();
      for (const [item, file] of items()) await send_photo(item, file, false);
    });
  }
})();
