// The wall: one socket, a canvas a camera, and the list of who was seen.
(() => {
  "use strict";
  const one = (selector, within = document) => within.querySelector(selector);
  const wall = one("[data-wall]");
  if (!wall) return;
  const tiles = one("[data-tiles]");
  const seen = one("[data-seen]");
  const link = one("[data-link]");
  const WIDTHS = [320, 640, 1280];
  const KEPT = 40;
  const SIGNS = { known: "✓", unknown: "?", ambiguous: "≈", low_quality: "–", suspected_attack: "!" };
  const COLOURS = { known: "--good", unknown: "--calm", ambiguous: "--warn", low_quality: "--dim", suspected_attack: "--bad" };
  const STATES = {
    starting: "is being opened", live: "live", lost: "no pictures", failed: "cannot be watched",
    elsewhere: "read elsewhere", ended: "ended",
  };
  const wanted = JSON.parse(wall.dataset.wanted);
  const cameras = new Map();
  const labels = new Map(); // of open tracks, by camera:epoch:track

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  // In the zone of the console, as on all pages; the date only where it is not today's. "sv" writes ISO 8601.
  const clock = new Intl.DateTimeFormat("sv", { timeZone: wall.dataset.zone, dateStyle: "short", timeStyle: "medium" });
  const time = (ms) => {
    const [date, hour] = clock.format(ms).split(" ");
    return clock.format(Date.now()).startsWith(date) ? hour : `${date} ${hour}`;
  };
  const words = (outcome) => outcome.replace("_", " ");

  // Cameras

  class Camera {
    constructor(element) {
      this.element = element;
      this.name = element.dataset.camera;
      this.picture = one(".picture", element);
      this.image = one(".image", element);
      this.marks = one(".marks", element);
      this.age = one(".age", element);
      this.player = null; // of its video, while that is wanted
      this.playing = false;
      this.boxes = [];
      this.epoch = null;
      this.taken = null; // by the server's clock, ms
      this.picture.hidden = false;
      this.picture.addEventListener("click", () => enlarge(this.element.classList.contains("large") ? null : this));
      this.say({ state: element.dataset.state, since_ns: 0, detail: one(".why", element).textContent });
    }

    say({ state, since_ns, detail }) {
      for (const known of Object.keys(STATES)) this.element.classList.toggle(known, known === state);
      this.state = state;
      const since = since_ns && state !== "live" ? ` since ${time(since_ns / 1e6)}` : "";
      one(".state", this.element).textContent = `${STATES[state] ?? state}${since}`;
      one(".why", this.element).textContent = detail ?? "";
      if (state !== "live") {
        this.boxes = [];
        this.taken = null;
        this.draw();
        this.tick();
      }
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
      const ratio = window.devicePixelRatio || 1;
      const width = Math.round(this.marks.clientWidth * ratio);
      const height = Math.round(this.marks.clientHeight * ratio);
      if (this.marks.width !== width || this.marks.height !== height) {
        this.marks.width = width;
        this.marks.height = height;
      }
      const pen = this.marks.getContext("2d");
      pen.clearRect(0, 0, width, height);
      const scale = Math.min(width / this.image.width, height / this.image.height);
      const across = this.image.width * scale;
      const down = this.image.height * scale;
      const left = (width - across) / 2;
      const top = (height - down) / 2;
      const size = Math.max(13 * ratio, Math.min(22 * ratio, width / 26));
      for (const [track, x0, y0, x1, y1] of this.boxes) {
        const said = labels.get(`${this.name}:${this.epoch}:${track}`);
        const shade = said ? colour(COLOURS[said.outcome]) : "#fff";
        pen.strokeStyle = "#000";
        pen.lineWidth = 5 * ratio;
        const box = [left + x0 * across, top + y0 * down, (x1 - x0) * across, (y1 - y0) * down];
        pen.strokeRect(...box);
        pen.strokeStyle = shade;
        pen.lineWidth = 3 * ratio;
        pen.setLineDash(said ? [] : [6 * ratio, 4 * ratio]);
        pen.strokeRect(...box);
        pen.setLineDash([]);
        if (said) this.label(pen, box, labelOf(said), shade, size, width);
      }
    }

    label(pen, [x, y, , high], text, shade, size, width) {
      pen.font = `600 ${size}px system-ui, sans-serif`;
      pen.textBaseline = "top";
      const long = pen.measureText(text).width + size * 0.7;
      const tall = size * 1.45;
      const left = Math.max(0, Math.min(x, width - long));
      const top = y - tall >= 0 ? y - tall : y + high;
      pen.fillStyle = colour("--back");
      pen.fillRect(left, top, long, tall);
      pen.fillStyle = shade;
      pen.fillRect(left, top, size * 0.18, tall);
      pen.fillText(text, left + size * 0.4, top + size * 0.22);
    }

    tick() {
      if (this.taken === null || offset === null) {
        this.age.textContent = "";
        return;
      }
      const age_s = Math.max(0, (Date.now() + offset - this.taken) / 1000);
      this.age.textContent = `${age_s.toFixed(1)} s`;
      this.age.title = "age of the picture";
      this.age.classList.toggle("old", age_s > 3);
    }

    get width() {
      const css = this.picture.clientWidth * (window.devicePixelRatio || 1);
      if (this.playing) return 320; // for the boxes, and in case the video ends
      if (this.element.classList.contains("large")) return 1280;
      return WIDTHS.find((width) => width >= css * 0.75) ?? 1280;
    }

    // Video over the pictures, or none any more

    async play() {
      if (this.player !== null) return;
      const { Player } = await player();
      if (this.player !== null || smoothed() !== this) return;
      const video = document.createElement("video");
      video.className = "video";
      video.muted = true;
      video.playsInline = true;
      video.setAttribute("aria-hidden", "true");
      this.image.after(video);
      played = null;
      this.player = new Player(video, (well) => {
        this.playing = well;
        ask();
        if (!well) this.unplay("its video cannot be played here: pictures only");
      });
      ask();
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
        one(".why", this.element).textContent = why;
      }
    }

    get shown() {
      return !tiles.classList.contains("single") || this.element.classList.contains("large");
    }
  }

  const labelOf = (said) => {
    const name = said.name ?? (said.outcome === "suspected_attack" && said.nearest ? `suspected attack, as ${said.nearest}` : null);
    return `${SIGNS[said.outcome]} ${name ?? words(said.outcome)}`;
  };

  const addCamera = (name) => {
    if (cameras.has(name) || (wanted.length && !wanted.includes(name))) return null;
    const element = one("[data-tile]").content.firstElementChild.cloneNode(true);
    element.dataset.camera = name;
    one("h2", element).textContent = name;
    one(".picture", element).setAttribute("aria-label", `${name}: enlarge`);
    const after = [...cameras.keys()].filter((known) => known < name).length;
    tiles.insertBefore(element, tiles.children[after] ?? null);
    const camera = new Camera(element);
    cameras.set(name, camera);
    arrange();
    return camera;
  };
  const removeCamera = (name) => {
    cameras.get(name)?.unplay();
    cameras.get(name)?.element.remove();
    cameras.delete(name);
    arrange();
  };

  // How many columns make the pictures largest

  const arrange = () => {
    const count = cameras.size;
    one("[data-none]").hidden = count > 0;
    const width = tiles.clientWidth;
    const height = Math.max(320, window.innerHeight - tiles.getBoundingClientRect().top - window.scrollY - 20);
    let best = [1, 0];
    for (let columns = 1; columns <= Math.min(8, count); columns += 1) {
      const rows = Math.ceil(count / columns);
      const across = Math.min(width / columns, (height / rows - 40) * (16 / 9));
      if (across > best[1]) best = [columns, across];
    }
    const columns = width < 640 ? 1 : Math.max(best[0], Math.min(count, Math.floor(width / 640)));
    tiles.dataset.columns = String(columns);
    ask();
    for (const camera of cameras.values()) camera.draw();
  };
  const enlarge = (camera) => {
    tiles.classList.toggle("single", camera !== null);
    for (const each of cameras.values()) {
      const large = each === camera;
      each.element.classList.toggle("large", large);
      each.picture.setAttribute("aria-pressed", String(large));
      each.picture.setAttribute("aria-label", `${each.name}: ${large ? "all cameras again" : "enlarge"}`);
    }
    camera?.picture.focus();
    replay();
    arrange();
  };

  // Video of the camera that is enlarged, for whoever wants it

  const video = one("[data-video]");
  const player = () => import(wall.dataset.player);
  const smooth = () => localStorage.getItem("pinwatch-video") === "on" && !video.hidden;
  const smoothed = () => {
    if (!smooth() || document.visibilityState === "hidden") return null;
    return [...cameras.values()].find((camera) => camera.element.classList.contains("large") && !camera.refused) ?? null;
  };
  const replay = () => {
    const chosen = smoothed();
    for (const camera of cameras.values()) if (camera !== chosen) camera.unplay();
    chosen?.play();
    ask();
  };
  const showVideo = () => {
    video.setAttribute("aria-pressed", String(smooth()));
    video.firstChild.textContent = smooth() ? "Video on " : "Video off ";
  };
  video.addEventListener("click", () => {
    localStorage.setItem("pinwatch-video", smooth() ? "off" : "on");
    for (const camera of cameras.values()) camera.refused = false;
    showVideo();
    replay();
  });
  player().then(({ plays }) => {
    video.hidden = !plays();
    showVideo();
    replay();
  });

  // The socket

  let socket = null;
  let after = Number(wall.dataset.after);
  let offset = null; // the server's clock less ours, ms
  let asked = "";
  let pause_s = 1;
  let lost = null;
  let heard = 0;

  const wish = () => {
    if (document.visibilityState === "hidden") return {};
    return Object.fromEntries([...cameras.values()].filter((camera) => camera.shown).map((camera) => [camera.name, camera.width]));
  };
  const playedNow = () => [...cameras.values()].find((camera) => camera.player !== null)?.name ?? "";
  let played = ""; // whose video was asked for; null: ask for it again, from its beginning
  let asking = null;
  const ask = () => {
    if (asking !== null) return;
    asking = setTimeout(() => {
      asking = null;
      if (socket?.readyState !== WebSocket.OPEN) return;
      const video = playedNow();
      const show = JSON.stringify({ show: wish(), ...(video === played ? {} : { video }) });
      if (show === asked) return;
      asked = show;
      played = video;
      socket.send(show);
    }, 400);
  };
  const tellOffset = (server_now_ns) => {
    const now = server_now_ns / 1e6 - Date.now();
    // The way here only ever makes it look smaller; forget slowly, since clocks drift.
    offset = offset === null ? now : Math.max(now, offset - 1);
  };
  const decoder = new TextDecoder();
  const take = (buffer) => {
    const length = new DataView(buffer).getUint32(0);
    const header = JSON.parse(decoder.decode(new Uint8Array(buffer, 4, length)));
    tellOffset(header.server_now_ns);
    if (header.kind === "video") {
      cameras.get(header.camera)?.player?.take(header, new Uint8Array(buffer, 4 + length));
      return;
    }
    cameras.get(header.camera)?.show(header, new Uint8Array(buffer, 4 + length)).catch(() => {});
  };
  const connect = () => {
    socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live/socket`);
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => {
      heard = Date.now();
      // A player that was fed by the socket before begins anew.
      for (const camera of cameras.values()) camera.unplay();
      asked = "";
      played = "";
      socket.send(JSON.stringify({ show: wish(), after }));
      replay();
    });
    socket.addEventListener("message", ({ data }) => {
      heard = Date.now();
      if (data instanceof ArrayBuffer) take(data);
      else hear(JSON.parse(data));
    });
    socket.addEventListener("close", gone);
  };
  const gone = (event) => {
    socket = null;
    lost ??= Date.now();
    const why = event.reason ? `: ${event.reason}` : "";
    say(false, `✗ connection lost since ${time(lost)}${why}`);
    for (const camera of cameras.values()) {
      camera.element.classList.remove("live");
      camera.element.classList.add("lost");
      one(".state", camera.element).textContent = "no connection";
    }
    if (event.code === 1008) {
      // Not allowed any more, most likely: the page says what to do.
      setTimeout(() => location.reload(), 3000);
      return;
    }
    setTimeout(connect, pause_s * 1000 * (0.75 + Math.random() / 2));
    pause_s = Math.min(30, pause_s * 2);
  };
  const say = (well, text) => {
    if (link.textContent === text) return;
    link.textContent = text;
    link.classList.toggle("on", well);
    link.classList.toggle("off", !well);
  };
  setInterval(() => {
    for (const camera of cameras.values()) camera.tick();
    if (socket?.readyState === WebSocket.OPEN && Date.now() - heard > 12000) socket.close();
  }, 500);

  // What is heard

  const hear = (message) => {
    const handler = { state: all, sighting, camera, alert, trouble, gap, video: noVideo }[message.kind];
    if (message.kind !== "state" && message.id) after = Math.max(after, message.id);
    if (message.server_now_ns) tellOffset(message.server_now_ns);
    handler?.(message);
  };
  const all = (message) => {
    pause_s = 1;
    lost = null;
    say(true, "✓ connected");
    labels.clear();
    for (const track of message.tracks) note(track);
    const there = new Set(message.cameras.map((status) => status.camera));
    for (const name of [...cameras.keys()]) if (!there.has(name)) removeCamera(name);
    for (const status of message.cameras) camera(status);
    trouble({ text: message.trouble });
    current = message.id;
    arrange();
  };
  let current = 0; // what is older than this is part of the state already
  const note = (message) => {
    const key = `${message.camera}:${message.epoch}:${message.track}`;
    if (message.revision === "end") {
      // The last picture of it may still come.
      setTimeout(() => { if (labels.get(key) === message) labels.delete(key); }, 2000);
    }
    labels.set(key, message);
  };
  const sighting = (message) => {
    if (message.id > current) {
      note(message);
      cameras.get(message.camera)?.draw();
    }
    list(message);
  };
  const camera = (message) => {
    if (message.state === "removed") {
      removeCamera(message.camera);
      return;
    }
    (cameras.get(message.camera) ?? addCamera(message.camera))?.say(message);
  };
  const noVideo = (message) => {
    if (!message.available) cameras.get(message.camera)?.unplay("no video of it may be shown: pictures only");
  };
  const trouble = (message) => {
    const told = one("[data-trouble]");
    told.hidden = !message.text;
    if (told.textContent !== message.text) told.textContent = message.text;
  };
  const gap = () => {
    if (!seen) return;
    const item = document.createElement("li");
    const more = document.createElement("a");
    more.href = "/sightings";
    more.textContent = "Some of what was seen is missing here: all sightings";
    item.append(more);
    seen.prepend(item);
  };

  const list = (message) => {
    if (!seen || !message.decision || message.outcome === "low_quality") return;
    const key = `${message.camera}:${message.epoch}:${message.track}`;
    let item = [...seen.children].find((known) => known.dataset.track === key);
    if (!item) {
      item = document.createElement("li");
      item.dataset.track = key;
      seen.prepend(item);
      while (seen.children.length > KEPT) seen.lastElementChild.remove();
      const quiet = one("[data-quiet]");
      if (quiet) quiet.hidden = true;
    }
    item.className = message.outcome;
    const where = document.createElement("a");
    where.href = `/sightings/${encodeURIComponent(message.decision)}`;
    const badge = document.createElement("span");
    badge.className = `outcome ${message.outcome}`;
    badge.textContent = words(message.outcome);
    where.append(badge, " ");
    if (message.name) {
      const name = document.createElement("strong");
      name.textContent = message.name;
      where.append(name);
    } else if (message.nearest && message.outcome !== "unknown") {
      where.append(`nearest: ${message.nearest}`);
    }
    const when = document.createElement("span");
    when.className = "dim";
    const at = message.last_seen_at ? Date.parse(message.last_seen_at) : message.at_ns / 1e6;
    if (message.revision !== "end" && message.age_ms !== null) item.dataset.age = (message.age_ms / 1000).toFixed(1);
    const age = item.dataset.age ? `, decided after ${item.dataset.age} s` : "";
    when.textContent = `${message.camera}, ${time(at)}${age}`;
    item.replaceChildren(where, when);
  };

  // Alerts

  const alerts = one("[data-alerts]");
  const OPEN = new Set(["open"]);
  const WORDS = { info: "i info", warning: "▲ warning", critical: "‼ critical" };
  const alert = (message) => {
    const key = String(message.alert_id);
    let item = [...alerts.children].find((known) => known.dataset.alert === key);
    if (!OPEN.has(message.state)) {
      item?.remove();
      return;
    }
    const fresh = !item;
    if (fresh) {
      item = document.createElement("li");
      item.dataset.alert = key;
      alerts.prepend(item);
      while (alerts.children.length > 5) alerts.lastElementChild.remove();
    }
    item.className = message.severity;
    const severity = document.createElement("span");
    severity.className = "severity";
    severity.textContent = WORDS[message.severity] ?? message.severity;
    const where = document.createElement("a");
    where.href = `/alerts/${encodeURIComponent(key)}`;
    const whom = message.suspected && message.name ? `attack suspected, as ${message.name}` : message.name;
    where.textContent = [message.rule, whom].filter(Boolean).join(": ");
    const rest = document.createElement("span");
    rest.className = "dim";
    rest.textContent = [message.camera, time(message.at_ns / 1e6)].filter(Boolean).join(", ");
    item.replaceChildren(severity, where, rest);
    if (fresh && message.sound && message.id > current) beep();
  };
  const loadAlerts = async () => {
    const answer = await fetch(`${wall.dataset.alertsFrom}?state=open&limit=5`);
    if (!answer.ok) return;
    const { alerts: found } = await answer.json();
    for (const one of found.reverse()) {
      alert({ ...one, alert_id: one.id, id: 0, suspected: one.attack_suspected, at_ns: Date.parse(one.last_at) * 1e6 });
    }
  };
  if (wall.dataset.alertsFrom) loadAlerts().catch(() => {});

  // Sound

  const sound = one("[data-sound]");
  let audio = null;
  const loud = () => localStorage.getItem("pinwatch-sound") === "on";
  const showSound = () => {
    sound.setAttribute("aria-pressed", String(loud()));
    sound.textContent = loud() ? "Sound on" : "Sound off";
  };
  const wakeAudio = () => {
    if (!loud()) return;
    audio ??= new AudioContext();
    audio.resume();
  };
  const beep = () => {
    if (!loud()) return;
    wakeAudio();
    const tone = audio.createOscillator();
    const level = audio.createGain();
    tone.frequency.value = 880;
    level.gain.setValueAtTime(0.2, audio.currentTime);
    level.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + 0.5);
    tone.connect(level).connect(audio.destination);
    tone.start();
    tone.stop(audio.currentTime + 0.5);
  };
  sound.hidden = false;
  showSound();
  sound.addEventListener("click", () => {
    localStorage.setItem("pinwatch-sound", loud() ? "off" : "on");
    showSound();
    beep();
  });
  for (const first of ["pointerdown", "keydown"]) document.addEventListener(first, wakeAudio, { once: true });

  // Full screen, keys

  const full = one("[data-full]");
  full.hidden = !document.fullscreenEnabled;
  const toggleFull = () => (document.fullscreenElement ? document.exitFullscreen() : wall.requestFullscreen());
  full.addEventListener("click", toggleFull);
  let going = false;
  document.addEventListener("keydown", (event) => {
    if (event.target.closest("input, select, textarea, dialog") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (going || event.key === "g") {
      going = event.key === "g" && !going;
      return;
    }
    if (event.key === "Escape") enlarge(null);
    else if (event.key === "f" && document.fullscreenEnabled) toggleFull();
    else if (event.key === "m") sound.click();
    else if (event.key === "v" && !video.hidden) video.click();
    else if (/^[1-9]$/.test(event.key)) {
      const chosen = [...cameras.values()].sort((a, b) => (a.name < b.name ? -1 : 1))[Number(event.key) - 1];
      if (chosen) enlarge(chosen.element.classList.contains("large") ? null : chosen);
    }
  });

  link.hidden = false;
  for (const moment of document.querySelectorAll("[data-seen] time")) moment.textContent = time(Date.parse(moment.dateTime));
  for (const element of tiles.children) cameras.set(element.dataset.camera, new Camera(element));
  let resizing = null;
  window.addEventListener("resize", () => {
    clearTimeout(resizing);
    resizing = setTimeout(arrange, 200);
  });
  document.addEventListener("visibilitychange", replay);
  arrange();
  connect();
})();
