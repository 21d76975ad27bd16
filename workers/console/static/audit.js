// How far a verification is; the page is loaded anew when it has ended.
"use strict";

(() => {
  const verifying = document.querySelector("[data-verifying]");
  if (!verifying) return;
  const bar = verifying.querySelector("[data-progress]");
  const count = verifying.querySelector("[data-count]");
  const look = async () => {
    try {
      const answer = await fetch(verifying.dataset.verifying);
      if (!answer.ok) throw new Error(answer.statusText);
      const found = await answer.json();
      if (!found.running) {
        location.reload();
        return;
      }
      count.textContent = found.running.records;
      if (bar.max > 1) bar.value = Math.min(found.running.records, bar.max);
    } catch {
      // asked again in a moment
    }
    setTimeout(look, 1000);
  };
  setTimeout(look, 1000);
})();
