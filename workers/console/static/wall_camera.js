// One camera on the wall: its picture, or its video, with marks, age and state.
import { drawMarks } from "./wall_marks.js";
import { Player } from "./wall_player.js";
import { keyOf, STATES } from "./wall_words.js";

const WIDTHS = [320, 640, 1280];
const OLD_S = 3;

export class Camera {
  // `wall` knows who is who, and what time it is; see wall.js.
  constructor(element, wall) {
    const part = (name) => element.querySelector(name);
    this.element = element;
    this.wall = wall;
    this.name = element.dataset.camera;
    this.picture = part(".picture");
    this.image = part(".image");
    this.marks = part(".marks");
    this.age = part(".age");
    this.why = part(".why");
    this.stateText = part(".state");
    this.player = null; // of its video, while that is wanted
    this.playing = false;
    this.refused = false; // its video
    this.boxes = [];
    this.epoch = null;
    this.taken = null; // by the server's clock, ms
    this.picture.hidden = false;
    this.picture.addEventListener("click", () => wall.enlarge(this.large ? null : this));
    this.say({ state: element.dataset.state, since_ns: 0, detail: this.why.textContent });
  }

  get large() {
    return this.element.classList.contains("large");
  }

  // Of the pictures that it needs, px.
  get width() {
    if (this.playing) return WIDTHS[0]; // for the boxes, and in case the video ends
    if (this.large) return WIDTHS.at(-1);
    const css = this.picture.clientWidth * (window.devicePixelRatio || 1);
    return WIDTHS.find((width) => width >= css * 0.75) ?? WIDTHS.at(-1);
  }

  say({ state, since_ns, detail }) {
    for (const known of Object.keys(STATES)) this.element.classList.toggle(known, known === state);
    this.state = state;
    const since = since_ns && state !== "live" ? ` since ${this.wall.time(since_ns / 1e6)}` : "";
    this.stateText.textContent = `${STATES[state] ?? state}${since}`;
    this.why.textContent = detail ?? "";
    if (state !== "live") {
      this.boxes = [];
      this.taken = null;
      this.draw();
      this.tick();
    }
  }

  disconnected() {
    this.element.classList.remove("live");
    this.element.classList.add("lost");
    this.stateText.textContent = "no connection";
  }

  async show(header, jpeg) {
    const bitmap = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
    if (this.image.width !== bitmap.width || this.image.height !== bitmap.height) {
      this.image.width = bitmap.width;
      this.image.height = bitmap.height;
    }
    this.image.getContext("2d").drawImage(bitmap, 0, 0);
    bitmap.close();
    this.boxes = header.boxes;
    this.epoch = header.epoch;
    this.taken = header.captured_at_ns === null ? null : header.captured_at_ns / 1e6;
    this.draw();
    if (this.state !== "live" || this.element.classList.contains("lost")) this.say({ state: "live" });
  }

  draw() {
    const saidOf = (track) => this.wall.said(keyOf({ camera: this.name, epoch: this.epoch, track }));
    drawMarks(this.marks, this.image, this.boxes, saidOf);
  }

  tick() {
    const now = this.wall.serverNow();
    if (this.taken === null || now === null) {
      this.age.textContent = "";
      return;
    }
    const age_s = Math.max(0, (now - this.taken) / 1000);
    this.age.textContent = `${age_s.toFixed(1)} s`;
    this.age.title = "age of the picture";
    this.age.classList.toggle("old", age_s > OLD_S);
  }

  play() {
    if (this.player !== null) return;
    const video = document.createElement("video");
    video.className = "video";
    video.muted = true;
    video.playsInline = true;
    video.setAttribute("aria-hidden", "true");
    this.image.after(video);
    this.player = new Player(video, (well) => {
      this.playing = well;
      this.wall.ask();
      if (!well) this.unplay("its video cannot be played here: pictures only");
    });
    this.wall.ask();
  }

  unplay(why = "") {
    if (this.player !== null) {
      this.player.close();
      this.player.video.remove();
    }
    this.player = null;
    this.playing = false;
    if (why) {
      this.refused = true;
      this.why.textContent = why;
    }
  }
}
