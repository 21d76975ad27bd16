// The socket of the wall: asks for pictures, hands over what comes, and is opened again when it is lost.
const ASK_MS = 400;
const SILENT_MS = 12000;
const LONGEST_S = 30;
const FORBIDDEN = 1008;

export class Link {
  // `told` has what is called: opened, lost, tile, video, message; and what is asked: wish, video wanted.
  constructor(element, after, told) {
    this.element = element;
    this.told = told;
    this.after = after; // the newest that was heard
    this.socket = null;
    this.offset = null; // the server's clock less ours, ms
    this.asked = "";
    this.played = ""; // whose video was asked for
    this.asking = null;
    this.pause_s = 1;
    this.lost = null;
    this.heard = 0;
    this.decoder = new TextDecoder();
    element.hidden = false;
    setInterval(() => {
      if (this.open && Date.now() - this.heard > SILENT_MS) this.socket.close();
    }, 500);
  }

  get open() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  // By the server's clock, ms; null: nothing was heard of it yet.
  now() {
    return this.offset === null ? null : Date.now() + this.offset;
  }

  connect() {
    this.socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live/socket`);
    this.socket.binaryType = "arraybuffer";
    this.socket.addEventListener("open", () => {
      this.heard = Date.now();
      this.asked = "";
      this.played = "";
      this.socket.send(JSON.stringify({ show: this.told.wish(), after: this.after }));
      this.told.opened();
    });
    this.socket.addEventListener("message", ({ data }) => {
      this.heard = Date.now();
      if (data instanceof ArrayBuffer) this.take(data);
      else this.hear(JSON.parse(data));
    });
    this.socket.addEventListener("close", (event) => this.gone(event));
  }

  // Say what is wanted, soon: much of it changes at once.
  ask() {
    this.asking ??= setTimeout(() => {
      this.asking = null;
      if (!this.open) return;
      const video = this.told.videoWanted();
      const text = JSON.stringify({ show: this.told.wish(), ...(video === this.played ? {} : { video }) });
      if (text === this.asked) return;
      this.asked = text;
      this.played = video;
      this.socket.send(text);
    }, ASK_MS);
  }

  // Video is to be sent from its beginning, whatever was sent before.
  playAnew() {
    this.played = null;
  }

  // All is known again.
  settled() {
    this.pause_s = 1;
    this.lost = null;
    this.say(true, "✓ connected");
  }

  take(buffer) {
    const length = new DataView(buffer).getUint32(0);
    const header = JSON.parse(this.decoder.decode(new Uint8Array(buffer, 4, length)));
    const bytes = new Uint8Array(buffer, 4 + length);
    this.tellOffset(header.server_now_ns);
    if (header.kind === "video") this.told.video(header, bytes);
    else this.told.tile(header, bytes);
  }

  hear(message) {
    if (message.kind !== "state" && message.id) this.after = Math.max(this.after, message.id);
    if (message.server_now_ns) this.tellOffset(message.server_now_ns);
    this.told.message(message);
  }

  tellOffset(server_now_ns) {
    const now = server_now_ns / 1e6 - Date.now();
    // The way here only ever makes it look smaller; forget slowly, since clocks drift.
    this.offset = this.offset === null ? now : Math.max(now, this.offset - 1);
  }

  gone({ code, reason }) {
    this.socket = null;
    this.lost ??= Date.now();
    this.say(false, `✗ connection lost since ${this.told.time(this.lost)}${reason ? `: ${reason}` : ""}`);
    this.told.lost();
    if (code === FORBIDDEN) {
      // Not allowed any more, most likely: the page says what to do.
      setTimeout(() => location.reload(), 3000);
      return;
    }
    setTimeout(() => this.connect(), this.pause_s * 1000 * (0.75 + Math.random() / 2));
    this.pause_s = Math.min(LONGEST_S, this.pause_s * 2);
  }

  say(well, text) {
    if (this.element.textContent === text) return;
    this.element.textContent = text;
    this.element.classList.toggle("on", well);
    this.element.classList.toggle("off", !well);
  }
}
