// Plays what a camera sends, as it comes: H.264 through Media Source Extensions.
const BEHIND_S = 1.5; // further behind than that is caught up
const KEPT_S = 20;
const MAX_WAITING = 400;

export const plays = () => "MediaSource" in window && MediaSource.isTypeSupported('video/mp4; codecs="avc1.64001f"');

export class Player {
  // `told` is called with true when it plays, and with false when it cannot go on.
  constructor(video, told) {
    this.video = video;
    this.told = told;
    this.waiting = [];
    this.buffer = null;
    this.source = null;
    this.onPlaying = () => this.told(true);
    this.onError = () => this.fail();
    video.addEventListener("playing", this.onPlaying);
    video.addEventListener("error", this.onError);
  }

  take({ codec, begins }, bytes) {
    if (begins) this.begin(codec);
    if (this.source === null) return;
    this.waiting.push(bytes);
    if (this.waiting.length > MAX_WAITING) this.fail();
    else this.more();
  }

  begin(codec) {
    this.stop();
    const type = `video/mp4; codecs="${codec}"`;
    if (!MediaSource.isTypeSupported(type)) {
      this.fail();
      return;
    }
    const source = new MediaSource();
    this.source = source;
    const address = URL.createObjectURL(source);
    source.addEventListener("sourceopen", () => {
      URL.revokeObjectURL(address);
      if (this.source !== source) return;
      this.buffer = source.addSourceBuffer(type);
      this.buffer.addEventListener("updateend", () => this.more());
      this.more();
    }, { once: true });
    this.video.src = address;
  }

  more() {
    const { buffer } = this;
    if (buffer === null || buffer.updating || this.source?.readyState !== "open") return;
    try {
      this.follow(buffer.buffered);
      if (buffer.updating || !this.waiting.length) return;
      buffer.appendBuffer(this.waiting.shift());
    } catch {
      this.fail();
    }
  }

  // Stay near the newest picture, and let go of what was shown.
  follow(buffered) {
    if (!buffered.length) return;
    const start = buffered.start(0);
    const end = buffered.end(buffered.length - 1);
    const now = this.video.currentTime;
    if (now < start || end - now > BEHIND_S) this.video.currentTime = Math.max(start, end - 0.2);
    if (this.video.paused) this.video.play().catch(() => {});
    if (now - start > 2 * KEPT_S) this.buffer.remove(0, now - KEPT_S);
  }

  stop() {
    this.waiting = [];
    this.buffer = null;
    this.source = null;
    this.video.removeAttribute("src");
    this.video.load();
  }

  close() {
    this.video.removeEventListener("playing", this.onPlaying);
    this.video.removeEventListener("error", this.onError);
    this.stop();
  }

  fail() {
    if (this.source === null && !this.video.hasAttribute("src")) return;
    this.stop();
    this.told(false);
  }
}
