// The wall: one socket, a canvas a camera, and the lists of who was seen and of alerts.
import { Camera } from "./wall_camera.js";
import { Link } from "./wall_link.js";
import { Alerts, Seen } from "./wall_news.js";
import { plays } from "./wall_player.js";
import { Sound } from "./wall_sound.js";
import { clockOf, keyOf } from "./wall_words.js";

const VIDEO_KEPT = "pinwatch-video";
const ENDED_MS = 2000; // the last pictures of a track may still come

const one = (selector, within = document) => within.querySelector(selector);

class Wall {
  constructor(element) {
    this.element = element;
    this.tiles = one("[data-tiles]");
    this.wanted = JSON.parse(element.dataset.wanted); // of the page's address; none: all
    this.time = clockOf(element.dataset.zone);
    this.cameras = new Map(); // by name
    this.labels = new Map(); // of open tracks, by keyOf
    this.current = 0; // what is older than this is part of the state already
    this.sound = new Sound(one("[data-sound]"));
    this.seen = new Seen(one("[data-seen]"), one("[data-quiet]"), this.time);
    this.alerts = new Alerts(one("[data-alerts]"), this.time);
    this.video = one("[data-video]");
    this.link = new Link(one("[data-link]"), Number(element.dataset.after), {
      opened: () => this.beginAnew(),
      lost: () => this.each((camera) => camera.disconnected()),
      tile: (header, jpeg) => this.cameras.get(header.camera)?.show(header, jpeg).catch(() => {}),
      video: (header, bytes) => this.cameras.get(header.camera)?.player?.take(header, bytes),
      message: (message) => this.hear(message),
      wish: () => this.wish(),
      videoWanted: () => [...this.cameras.values()].find((camera) => camera.player !== null)?.name ?? "",
      time: this.time,
    });
  }

  start() {
    for (const element of this.tiles.children) this.cameras.set(element.dataset.camera, new Camera(element, this));
    this.switchVideo();
    this.listenToKeys();
    let resizing = null;
    window.addEventListener("resize", () => {
      clearTimeout(resizing);
      resizing = setTimeout(() => this.arrange(), 200);
    });
    document.addEventListener("visibilitychange", () => this.replay());
    setInterval(() => this.each((camera) => camera.tick()), 500);
    const { alertsFrom } = this.element.dataset;
    if (alertsFrom) this.alerts.load(alertsFrom).catch(() => {});
    this.arrange();
    this.link.connect();
  }

  // What cameras ask

  ask() {
    this.link.ask();
  }

  said(key) {
    return this.labels.get(key);
  }

  serverNow() {
    return this.link.now();
  }

  // Cameras

  each(action) {
    for (const camera of this.cameras.values()) action(camera);
  }

  add(name) {
    if (this.wanted.length && !this.wanted.includes(name)) return null;
    const element = one("[data-tile]").content.firstElementChild.cloneNode(true);
    element.dataset.camera = name;
    one("h2", element).textContent = name;
    one(".picture", element).setAttribute("aria-label", `${name}: enlarge`);
    const before = [...this.cameras.keys()].filter((known) => known < name).length;
    this.tiles.insertBefore(element, this.tiles.children[before] ?? null);
    const camera = new Camera(element, this);
    this.cameras.set(name, camera);
    this.arrange();
    return camera;
  }

  remove(name) {
    const camera = this.cameras.get(name);
    if (!camera) return;
    camera.unplay();
    camera.element.remove();
    this.cameras.delete(name);
    this.arrange();
  }

  // As many columns as make the pictures largest
  arrange() {
    const count = this.cameras.size;
    one("[data-none]").hidden = count > 0;
    const width = this.tiles.clientWidth;
    const top = this.tiles.getBoundingClientRect().top + window.scrollY;
    const height = Math.max(320, window.innerHeight - top - 20);
    let best = [1, 0];
    for (let columns = 1; columns <= Math.min(8, count); columns += 1) {
      const rows = Math.ceil(count / columns);
      const across = Math.min(width / columns, (height / rows - 40) * (16 / 9));
      if (across > best[1]) best = [columns, across];
    }
    const columns = width < 640 ? 1 : Math.max(best[0], Math.min(count, Math.floor(width / 640)));
    this.tiles.dataset.columns = String(columns);
    this.ask();
    this.each((camera) => camera.draw());
  }

  // One camera alone; null: all of them again
  enlarge(chosen) {
    this.tiles.classList.toggle("single", chosen !== null);
    this.each((camera) => {
      const large = camera === chosen;
      camera.element.classList.toggle("large", large);
      camera.picture.setAttribute("aria-pressed", String(large));
      camera.picture.setAttribute("aria-label", `${camera.name}: ${large ? "all cameras again" : "enlarge"}`);
    });
    chosen?.picture.focus();
    this.replay();
    this.arrange();
  }

  // Width of the pictures by camera
  wish() {
    if (document.visibilityState === "hidden") return {};
    const single = this.tiles.classList.contains("single");
    const shown = [...this.cameras.values()].filter((camera) => !single || camera.large);
    return Object.fromEntries(shown.map((camera) => [camera.name, camera.width]));
  }

  // Video of the camera that is enlarged, for whoever wants it

  get smooth() {
    return localStorage.getItem(VIDEO_KEPT) === "on" && !this.video.hidden;
  }

  switchVideo() {
    const show = () => {
      this.video.setAttribute("aria-pressed", String(this.smooth));
      this.video.firstChild.textContent = this.smooth ? "Video on " : "Video off ";
      this.replay();
    };
    this.video.hidden = !plays();
    this.video.addEventListener("click", () => {
      localStorage.setItem(VIDEO_KEPT, this.smooth ? "off" : "on");
      this.each((camera) => { camera.refused = false; });
      show();
    });
    show();
  }

  replay() {
    const wanted = this.smooth && document.visibilityState !== "hidden";
    const chosen = wanted ? [...this.cameras.values()].find((camera) => camera.large && !camera.refused) : undefined;
    this.each((camera) => { if (camera !== chosen) camera.unplay(); });
    if (chosen && chosen.player === null) {
      this.link.playAnew();
      chosen.play();
    }
    this.ask();
  }

  // What is heard

  beginAnew() {
    this.each((camera) => camera.unplay()); // what fed its player is gone
    this.replay();
  }

  hear(message) {
    const handlers = {
      state: () => this.takeState(message),
      sighting: () => this.takeSighting(message),
      camera: () => this.takeCamera(message),
      alert: () => this.takeAlert(message),
      trouble: () => this.takeTrouble(message.text),
      gap: () => this.seen.gap(),
      video: () => this.takeVideo(message),
    };
    handlers[message.kind]?.();
  }

  takeState(message) {
    this.link.settled();
    this.labels.clear();
    for (const track of message.tracks) this.note(track);
    const there = new Set(message.cameras.map((status) => status.camera));
    for (const name of [...this.cameras.keys()]) if (!there.has(name)) this.remove(name);
    for (const status of message.cameras) this.takeCamera(status);
    this.takeTrouble(message.trouble);
    this.current = message.id;
    this.arrange();
  }

  takeSighting(message) {
    if (message.id > this.current) {
      this.note(message);
      this.cameras.get(message.camera)?.draw();
    }
    this.seen.take(message);
  }

  note(message) {
    const key = keyOf(message);
    this.labels.set(key, message);
    if (message.revision !== "end") return;
    setTimeout(() => { if (this.labels.get(key) === message) this.labels.delete(key); }, ENDED_MS);
  }

  takeCamera(message) {
    if (message.state === "removed") this.remove(message.camera);
    else (this.cameras.get(message.camera) ?? this.add(message.camera))?.say(message);
  }

  takeAlert(message) {
    const fresh = this.alerts.take(message);
    if (fresh && message.sound && message.id > this.current) this.sound.beep();
  }

  takeTrouble(text) {
    const told = one("[data-trouble]");
    told.hidden = !text;
    if (told.textContent !== text) told.textContent = text;
  }

  takeVideo(message) {
    if (!message.available) this.cameras.get(message.camera)?.unplay("no video of it may be shown: pictures only");
  }

  // Full screen, keys

  listenToKeys() {
    const full = one("[data-full]");
    full.hidden = !document.fullscreenEnabled;
    full.addEventListener("click", () => this.toggleFull());
    let going = false;
    document.addEventListener("keydown", (event) => {
      if (event.target.closest("input, select, textarea, dialog") || event.ctrlKey || event.metaKey || event.altKey) return;
      if (going || event.key === "g") {
        going = event.key === "g" && !going;
        return;
      }
      this.press(event.key);
    });
  }

  press(key) {
    if (key === "Escape") this.enlarge(null);
    else if (key === "f" && document.fullscreenEnabled) this.toggleFull();
    else if (key === "m") this.sound.button.click();
    else if (key === "v" && !this.video.hidden) this.video.click();
    else if (/^[1-9]$/.test(key)) {
      const names = [...this.cameras.keys()].sort();
      const chosen = this.cameras.get(names[Number(key) - 1]);
      if (chosen) this.enlarge(chosen.large ? null : chosen);
    }
  }

  toggleFull() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.element.requestFullscreen();
  }
}

new Wall(one("[data-wall]")).start();
