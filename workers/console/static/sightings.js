// Names of people as they are typed, marks by key, and footage that begins where the track does.
"use strict";

(() => {
  // Names of people who are enrolled

  const list = document.querySelector("datalist#people");
  let waiting = 0;
  const suggest = async (input) => {
    const typed = input.value.trim();
    if (typed.length < 2) return;
    try {
      const answer = await fetch(`${input.dataset.suggest}?limit=10&search=${encodeURIComponent(typed)}`);
      if (!answer.ok) return;
      const { people } = await answer.json();
      list.replaceChildren(...people.map((person) => {
        const option = document.createElement("option");
        option.value = person.name;
        return option;
      }));
    } catch {
      // Without it, a name is typed in full.
    }
  };
  if (list) {
    for (const input of document.querySelectorAll("input[data-suggest]")) {
      input.addEventListener("input", () => {
        clearTimeout(waiting);
        waiting = setTimeout(() => suggest(input), 250);
      });
    }
  }

  // Marks: x, by the row that the keys are at

  const show = (box) => box.closest("tr")?.classList.toggle("marked", box.checked);
  const boxes = [...document.querySelectorAll("input[data-mark]")];
  for (const box of boxes) {
    show(box);
    box.addEventListener("change", () => show(box));
  }
  document.addEventListener("keydown", (event) => {
    if (event.key !== "x" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input:not([type=checkbox]), select, textarea, dialog")) return;
    const box = document.querySelector("tr.here input[data-mark]");
    if (!box) return;
    event.preventDefault();
    box.checked = !box.checked;
    box.dispatchEvent(new Event("change"));
  });

  // Footage

  for (const video of document.querySelectorAll("video[data-start]")) {
    video.addEventListener("loadedmetadata", () => {
      const start = Number(video.dataset.start);
      if (start > 0 && start < video.duration) video.currentTime = Math.max(0, start - 1);
    }, { once: true });
  }
})();
