"""What is looked for on every page. Each function returns what is wrong, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_GRAVE = ("serious", "critical")
_WITHIN = 40
"""More stops than there are elements: a field for a time has several inside."""

_STRUCTURE = """
() => {
  const wrong = [];
  const of = (selector) => document.querySelectorAll(selector).length;
  if (of("h1") !== 1) wrong.push(`${of("h1")} headings of the first order`);
  if (of("main") !== 1) wrong.push(`${of("main")} main landmarks`);
  if (of("header") < 1) wrong.push("no banner");
  if (!/^.+ · Pinwatch$/.test(document.title)) wrong.push(`the title "${document.title}"`);
  let last = 1;
  for (const heading of document.querySelectorAll("main :is(h1, h2, h3, h4, h5, h6)")) {
    if (!heading.checkVisibility()) continue;
    const order = Number(heading.tagName[1]);
    if (order > last + 1) wrong.push(`"${heading.textContent.trim()}" is ${heading.tagName} after H${last}`);
    last = order;
  }
  return wrong;
}
"""

_TOO_WIDE = """
() => {
  const width = document.documentElement.clientWidth;
  const over = document.documentElement.scrollWidth - width;
  if (over <= 0) return null;
  const clipped = (node) => {
    for (let one = node.parentElement; one && one !== document.body; one = one.parentElement) {
      if (getComputedStyle(one).overflowX !== "visible") return true;
    }
    return false;
  };
  const wide = [...document.querySelectorAll("body *")].filter(
    (node) => node.checkVisibility() && node.getBoundingClientRect().right > width + 1 && !clipped(node));
  const named = wide.slice(0, 3).map((node) => node.outerHTML.slice(0, 90));
  return `${over} px too wide at ${width} px: ${named.join(" | ")}`;
}
"""

_REACHABLE = """
() => {
  const kinds = "a[href], button, input:not([type=hidden]), select, textarea, summary, video[controls], " +
    "[tabindex]:not([tabindex='-1'])";
  const found = [...document.querySelectorAll(kinds)].filter((node) =>
    node.checkVisibility({ visibilityProperty: true }) && !node.disabled && !node.closest("[inert]") &&
    !(node.type === "radio" && !node.checked) && node.tabIndex >= 0);
  found.forEach((node, index) => { node.dataset.testTab = index; });
  return found.length;
}
"""

_TO_THE_TOP = """
() => {
  document.body.tabIndex = -1;
  document.body.focus();
  document.body.removeAttribute("tabindex");
  window.scrollTo(0, 0);
}
"""

_FOCUSED = """
() => {
  const shape = (node) => {
    const { fill, stroke, strokeWidth } = getComputedStyle(node);
    return [fill, stroke, strokeWidth, node.getBoundingClientRect().width].join();
  };
  const shapeChanges = (node) => {
    const focused = shape(node);
    node.blur();
    const plain = shape(node);
    node.focus();
    return focused !== plain;
  };
  const node = document.activeElement;
  if (!node || node === document.body) return null;
  const style = getComputedStyle(node);
  const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  const drawn = outlined || style.boxShadow !== "none" || (node instanceof SVGElement && shapeChanges(node));
  const box = node.getBoundingClientRect();
  const shown = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  return { index: node.dataset.testTab ?? null, drawn, shown, html: node.outerHTML.slice(0, 120) };
}
"""


def accessibility(page: Page, *rules: str) -> Iterator[str]:
    """What axe-core finds that is serious or critical; by all its rules, or by these."""
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules:
        options["runOnly"] = {"type": "rule", "values": list(rules)}
    found = Axe().run(page, options=options).response["violations"]
    for violation in found:
        if violation["impact"] in _GRAVE:
            nodes = [_of_node(node) for node in violation["nodes"][:3]]
            yield f"{violation['id']} ({violation['help']}): {' | '.join(nodes)}"


def _of_node(node: dict[str, Any]) -> str:
    summary = node["failureSummary"].replace("\n", " ")[:200]
    return f"{node['html'][:100]} [{summary}]"


def structure(page: Page) -> Iterator[str]:
    """One heading of the first order, landmarks, a title, and no order of headings left out."""
    yield from page.evaluate(_STRUCTURE)


def width(page: Page) -> Iterator[str]:
    """Whether the page must be moved sideways."""
    said = page.evaluate(_TOO_WIDE)
    if said is not None:
        yield said


def keyboard(page: Page) -> Iterator[str]:
    """Whether everything that can be used is reached by Tab, and seen to have been reached."""
    count = page.evaluate(_REACHABLE)
    page.evaluate(_TO_THE_TOP)
    reached: list[str] = []
    for _ in range(count + _WITHIN):
        page.keyboard.press("Tab")
        focused = page.evaluate(_FOCUSED)
        if focused is None or focused["index"] in reached[:-1]:
            break  # once round
        if focused["index"] in reached[-1:]:
            continue  # inside a field for a time
        reached.append(focused["index"])
        if not focused["drawn"]:
            yield f"no focus to be seen on {focused['html']}"
        if not focused["shown"]:
            yield f"focused out of sight: {focused['html']}"
    if len(reached) < count:
        lost = sorted({str(index) for index in range(count)} - set(reached))
        html = page.evaluate(
            "(index) => document.querySelector(`[data-test-tab='${index}']`).outerHTML", lost[0]
        )
        yield f"Tab reaches {len(reached)} of {count}; not {html[:150]}"
