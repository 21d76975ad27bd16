// The list of alerts, drawn anew when one has changed; to ask whether one has says nothing about anybody.
"use strict";

(() => {
  const EVERY_MS = 3000;
  const list = document.querySelector("[data-version]");
  const stale = document.querySelector("[data-stale]");

  const draw = (part, fresh) => {
    if (part.innerHTML === fresh.innerHTML) return;
    const focused = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    part.replaceChildren(...fresh.childNodes);
    if (focused === null) return;
    [...part.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused)?.focus({ preventScroll: true });
  };
  const get = async (address) => {
    const answer = await fetch(address);
    if (answer.status === 401 || answer.redirected) {
      location.reload(); // to log in again
      return null;
    }
    if (!answer.ok) throw new Error(answer.statusText);
    return answer;
  };
  const look = async () => {
    try {
      const changes = await (await get(list.dataset.changes))?.json();
      stale.textContent = "";
      if (!changes || String(changes.version) === list.dataset.version) return;
      const text = await (await get(location.href))?.text();
      if (!text) return;
      const page = new DOMParser().parseFromString(text, "text/html");
      for (const part of document.querySelectorAll("[data-part]")) {
        const fresh = page.querySelector(`[data-part="${part.dataset.part}"]`);
        if (fresh) draw(part, document.importNode(fresh, true));
      }
      document.title = page.title;
      list.dataset.version = page.querySelector("[data-version]").dataset.version;
      document.dispatchEvent(new Event("pinwatch:drawn"));
    } catch {
      stale.textContent = "The console cannot be reached: what follows may be old.";
    }
  };
  const again = async () => {
    if (!document.hidden) await look();
    setTimeout(again, EVERY_MS);
  };
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
  setTimeout(again, EVERY_MS);
})();
