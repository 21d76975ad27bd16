// Boxes around faces, and who they are, drawn over a picture.
import { colour, colourOf, labelOf } from "./wall_words.js";

// boxes: [track, x0, y0, x1, y1] in shares of the picture; saidOf(track): what was decided, if anything.
export const drawMarks = (canvas, image, boxes, saidOf) => {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio);
  const height = Math.round(canvas.clientHeight * ratio);
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, width, height);
  const place = fitted(width, height, image);
  const names = [];
  for (const [track, ...corners] of boxes) {
    const said = saidOf(track);
    const box = place(corners);
    const shade = said ? colourOf(said.outcome) : "#fff";
    drawBox(pen, box, shade, said ? [] : [6 * ratio, 4 * ratio], ratio);
    if (said) names.push([box, labelOf(said), shade]);
  }
  const size = Math.max(13 * ratio, Math.min(22 * ratio, width / 26));
  drawNames(pen, names, size);
};

// The picture fills the canvas as far as its shape allows, in the middle.
const fitted = (width, height, image) => {
  const scale = Math.min(width / image.width, height / image.height);
  const across = image.width * scale;
  const down = image.height * scale;
  const left = (width - across) / 2;
  const top = (height - down) / 2;
  return ([x0, y0, x1, y1]) => [left + x0 * across, top + y0 * down, (x1 - x0) * across, (y1 - y0) * down];
};

const drawBox = (pen, box, shade, dashes, ratio) => {
  pen.strokeStyle = "#000";
  pen.lineWidth = 5 * ratio;
  pen.strokeRect(...box);
  pen.strokeStyle = shade;
  pen.lineWidth = 3 * ratio;
  pen.setLineDash(dashes);
  pen.strokeRect(...box);
  pen.setLineDash([]);
};

// After all boxes, and from the left: of people side by side each name keeps its place from picture to picture.
const drawNames = (pen, names, size) => {
  pen.font = `600 ${size}px system-ui, sans-serif`;
  pen.textBaseline = "top";
  const taken = [];
  for (const [box, text, shade] of names.sort(([one], [other]) => one[0] - other[0])) {
    const sign = signAt(box, pen.measureText(text).width + size * 0.7, size * 1.45, pen.canvas, taken);
    taken.push(sign);
    pen.fillStyle = colour("--back");
    pen.fillRect(...sign);
    const [left, top, , tall] = sign;
    pen.fillStyle = shade;
    pen.fillRect(left, top, size * 0.18, tall);
    pen.fillText(text, left + size * 0.4, top + size * 0.22);
  }
};

// Above the face, or below, or further off, where no other name stands; above where all is full.
const signAt = ([x, y, , high], long, tall, canvas, taken) => {
  const left = Math.max(0, Math.min(x, canvas.width - long));
  const fits = (top) => top >= 0 && top + tall <= canvas.height;
  const free = (top) => taken.every((other) => !overlap([left, top, long, tall], other));
  const tops = [0, 1, 2, 3, 4].flatMap((row) => [y - (row + 1) * tall, y + high + row * tall]);
  return [left, tops.find((top) => fits(top) && free(top)) ?? Math.max(0, y - tall), long, tall];
};

const overlap = ([x, y, long, tall], [left, top, across, down]) =>
  x < left + across && left < x + long && y < top + down && top < y + tall;
