// Privacy masks and the region of interest, drawn over a picture; the text fields are what is saved.
"use strict";

(() => {
  const form = document.querySelector("form[data-masks]");
  if (!form) return;
  const find = (selector) => form.querySelector(selector);
  const picture = find("[data-picture]");
  const drawing = find("[data-drawing]");
  const list = find("[data-areas]");
  const said = find("[data-said]");
  const undo = find("[data-undo]");
  const fields = { mask: form.elements.namedItem("masks"), region: form.elements.namedItem("region") };
  const NAMES = { mask: "Mask", region: "Region" };
  const SVG = "http://www.w3.org/2000/svg";
  const STEP = 0.005;

  let areas = []; // { kind, points: [[x, y], …] } in shares of the picture
  let open = null; // the area that is being drawn
  const past = [];

  const say = (text) => { said.textContent = text; };
  const clamp = (value) => Math.min(1, Math.max(0, value));
  const copy = (some) => some.map(({ kind, points }) => ({ kind, points: points.map((point) => [...point]) }));
  const shown = (share) => `${Math.round(share * 100)} %`;
  const title = (area) => {
    const same = areas.filter((one) => one.kind === area.kind);
    return area.kind === "mask" ? `Mask ${same.indexOf(area) + 1}` : NAMES.region;
  };

  // Text to areas and back

  const parse = (kind) => fields[kind].value.split("\n").filter((line) => line.trim()).map((line) => ({
    kind,
    points: line.trim().split(/\s+/).map((pair) => pair.split(",").map(Number)),
  })).filter(({ points }) => points.every((point) => point.length === 2 && point.every(Number.isFinite)));
  const read = () => { areas = [...parse("mask"), ...parse("region")]; };
  const number = (value) => String(Math.round(value * 10000) / 10000);
  const write = () => {
    for (const kind of Object.keys(fields)) {
      fields[kind].value = areas.filter((area) => area.kind === kind)
        .map(({ points }) => points.map((point) => point.map(number).join(",")).join(" ")).join("\n");
    }
  };
  const remember = () => { past.push(copy(areas)); undo.disabled = false; };

  // What is seen

  const size = () => [picture.naturalWidth || 1600, picture.naturalHeight || 900];
  const made = (name, attributes, inside) => {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    inside?.append(element);
    return element;
  };
  const text = (points, [width, height]) => points.map(([x, y]) => `${x * width},${y * height}`).join(" ");
  const draw = (focus) => {
    const whole = size();
    const width = drawing.getBoundingClientRect().width || 1000;
    const radius = (matchMedia("(pointer: coarse)").matches ? 13 : 10) * whole[0] / width;
    drawing.setAttribute("viewBox", `0 0 ${whole[0]} ${whole[1]}`);
    drawing.replaceChildren();
    for (const area of areas) {
      made("polygon", { class: area.kind, points: text(area.points, whole) }, drawing);
    }
    for (const area of areas) area.points.forEach((_, index) => corner(area, index, whole, radius));
    if (open) {
      made("polyline", { class: `open ${open.kind}`, points: text(open.points, whole) }, drawing);
      for (const [x, y] of open.points) {
        made("circle", { class: "first", cx: x * whole[0], cy: y * whole[1], r: radius }, drawing);
      }
    }
    names();
    if (focus) drawing.querySelector(`[data-corner="${focus.join("-")}"]`)?.focus();
  };
  const corner = (area, index, [width, height], radius) => {
    const [x, y] = area.points[index];
    const at = areas.indexOf(area);
    const element = made("circle", {
      class: "corner", tabindex: 0, role: "button", "data-corner": `${at}-${index}`,
      cx: x * width, cy: y * height, r: radius,
      "aria-label": `${title(area)}, corner ${index + 1} of ${area.points.length}, at ${shown(x)}, ${shown(y)}`,
    }, drawing);
    element.addEventListener("keydown", (event) => onKey(event, area, index));
    element.addEventListener("pointerdown", (event) => onGrab(event, element, area, index));
  };
  const names = () => {
    list.replaceChildren(...areas.map((area) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.className = "quiet";
      button.textContent = `Remove ${title(area)}`;
      button.addEventListener("click", () => {
        remember();
        const name = title(area);
        areas = areas.filter((one) => one !== area);
        changed(`${name} removed.`);
        (list.querySelector("button") ?? form.querySelector("[data-draw]")).focus();
      });
      const about = document.createElement("span");
      about.textContent = `${title(area)}: ${area.points.length} corners`;
      item.append(about, button);
      return item;
    }));
  };
  const changed = (text, focus) => { write(); draw(focus); say(text); };

  // Corners by keyboard

  const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const onKey = (event, area, index) => {
    const at = areas.indexOf(area);
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in MOVES) {
      const [x, y] = MOVES[event.key].map((one) => one * STEP * (event.shiftKey ? 10 : 1));
      if (!event.repeat) remember();
      area.points[index] = [clamp(area.points[index][0] + x), clamp(area.points[index][1] + y)];
      const [left, top] = area.points[index];
      changed(`${shown(left)}, ${shown(top)}`, [at, index]);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      takeOut(area, index);
    } else if (event.key === "Insert" || event.key === "+") {
      remember();
      const next = area.points[(index + 1) % area.points.length];
      const [x, y] = area.points[index];
      area.points.splice(index + 1, 0, [(x + next[0]) / 2, (y + next[1]) / 2]);
      changed("Corner added.", [at, index + 1]);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  const takeOut = (area, index) => {
    remember();
    const at = areas.indexOf(area);
    if (area.points.length > 3) {
      area.points.splice(index, 1);
      changed("Corner taken out.", [at, Math.min(index, area.points.length - 1)]);
      return;
    }
    const name = title(area);
    areas = areas.filter((one) => one !== area);
    changed(`${name} removed: an area has at least three corners.`);
    form.querySelector("[data-draw]").focus();
  };

  // By mouse, pen and finger

  const place = (event) => {
    const box = drawing.getBoundingClientRect();
    return [clamp((event.clientX - box.left) / box.width), clamp((event.clientY - box.top) / box.height)];
  };
  const onGrab = (event, element, area, index) => {
    if (open) return;
    event.preventDefault();
    event.stopPropagation();
    element.focus();
    const before = copy(areas);
    let moved = false;
    const move = (one) => {
      moved = true;
      area.points[index] = place(one);
      const [width, height] = size();
      element.setAttribute("cx", area.points[index][0] * width);
      element.setAttribute("cy", area.points[index][1] * height);
      drawing.querySelectorAll("polygon")[areas.indexOf(area)].setAttribute("points", text(area.points, size()));
    };
    const end = () => {
      element.removeEventListener("pointermove", move);
      if (!moved) return;
      past.push(before);
      undo.disabled = false;
      changed("Corner moved.", [areas.indexOf(area), index]);
    };
    element.setPointerCapture(event.pointerId);
    element.addEventListener("pointermove", move);
    element.addEventListener("pointerup", end, { once: true });
    element.addEventListener("pointercancel", end, { once: true });
  };
  drawing.addEventListener("pointerdown", (event) => {
    if (!open) return;
    event.preventDefault();
    const point = place(event);
    const box = drawing.getBoundingClientRect();
    const first = open.points[0];
    const near = first && Math.hypot((point[0] - first[0]) * box.width, (point[1] - first[1]) * box.height) < 20;
    if (near && open.points.length >= 3) {
      close();
    } else if (!near) {
      open.points.push(point);
      draw();
      say(`Corner ${open.points.length}.${open.points.length > 2 ? " Click the first one again, or press Enter, to close." : ""}`);
    }
  });
  const add = (area) => {
    remember();
    if (area.kind === "region") areas = areas.filter((one) => one.kind !== "region");
    areas.push(area);
    return areas.length - 1;
  };
  const close = () => {
    const area = open;
    open = null;
    drawing.classList.remove("drawing");
    const at = add(area);
    changed(`${title(area)} drawn.`, [at, 0]);
  };
  document.addEventListener("keydown", (event) => {
    if (!open || !["Escape", "Enter"].includes(event.key)) return;
    event.preventDefault();
    if (event.key === "Enter" && open.points.length >= 3) {
      close();
      return;
    }
    open = null;
    drawing.classList.remove("drawing");
    draw();
    say("Nothing was drawn.");
  });

  // Tools

  for (const button of form.querySelectorAll("[data-draw]")) {
    button.addEventListener("click", () => {
      open = { kind: button.dataset.draw, points: [] };
      drawing.classList.add("drawing");
      draw();
      button.blur(); // so that Enter closes the area
      say("Click or tap the corners in the picture.");
    });
  }
  for (const button of form.querySelectorAll("[data-rectangle]")) {
    button.addEventListener("click", () => {
      const at = add({ kind: button.dataset.rectangle, points: [[0.4, 0.4], [0.6, 0.4], [0.6, 0.6], [0.4, 0.6]] });
      changed(`${title(areas[at])} drawn: move its corners with the arrow keys.`, [at, 0]);
    });
  }
  undo.addEventListener("click", () => {
    areas = past.pop();
    undo.disabled = !past.length;
    changed("Undone.");
  });
  for (const field of Object.values(fields)) {
    field.addEventListener("change", () => {
      past.push(copy(areas));
      undo.disabled = false;
      read();
      draw();
    });
  }

  const without = () => {
    picture.hidden = true;
    drawing.classList.add("alone");
    say("The camera gives no picture at the moment: you draw on an empty one.");
    draw();
  };
  picture.addEventListener("load", () => draw());
  window.addEventListener("resize", () => draw());
  picture.addEventListener("error", without);
  find("[data-tools]").hidden = false;
  find("[data-help]").hidden = false;
  find("[data-text]").open = false;
  drawing.removeAttribute("hidden");
  read();
  draw();
  if (picture.complete && !picture.naturalWidth) without(); // it failed before anybody listened
})();
