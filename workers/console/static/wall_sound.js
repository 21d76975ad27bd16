// A tone for alerts, for whoever switched it on; browsers make none before somebody touched the page.
const KEPT = "pinwatch-sound";

export class Sound {
  constructor(button) {
    this.button = button;
    this.audio = null;
    button.hidden = false;
    button.addEventListener("click", () => {
      localStorage.setItem(KEPT, this.on ? "off" : "on");
      this.show();
      this.beep();
    });
    for (const first of ["pointerdown", "keydown"]) document.addEventListener(first, () => this.wake(), { once: true });
    this.show();
  }

  get on() {
    return localStorage.getItem(KEPT) === "on";
  }

  show() {
    this.button.setAttribute("aria-pressed", String(this.on));
    this.button.textContent = this.on ? "Sound on" : "Sound off";
  }

  wake() {
    if (!this.on) return;
    this.audio ??= new AudioContext();
    this.audio.resume();
  }

  beep() {
    if (!this.on) return;
    this.wake();
    const { audio } = this;
    const tone = audio.createOscillator();
    const level = audio.createGain();
    tone.frequency.value = 880;
    level.gain.setValueAtTime(0.2, audio.currentTime);
    level.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + 0.5);
    tone.connect(level).connect(audio.destination);
    tone.start();
    tone.stop(audio.currentTime + 0.5);
  }
}
