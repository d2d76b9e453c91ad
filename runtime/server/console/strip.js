// The latency strip: what this call feels like, in numbers measured here.

const milliseconds = (seconds) => `${Math.round(seconds * 1000)} ms`;

export class Strip {
  constructor(list) {
    this.figures = Object.fromEntries([...list.querySelectorAll("[data-figure]")].map((dd) => [dd.dataset.figure, dd]));
    this.reset();
  }

  reset() {
    this.silentSince = null;
    this.asked = null;
    for (const figure of Object.values(this.figures)) figure.textContent = "–";
  }

  loud() {
    this.lastLoud = performance.now();
  }

  apply(event) {
    if (event.type === "input_audio_buffer.speech_stopped") this.silentSince = this.lastLoud ?? performance.now();
    if (event.type === "response.created") this.asked = performance.now();
  }

  sounding() {
    const now = performance.now();
    if (this.silentSince !== null) this.show("gap", milliseconds((now - this.silentSince) / 1000));
    if (this.asked !== null) this.show("ttfb", milliseconds((now - this.asked) / 1000));
    this.silentSince = null;
    this.asked = null;
  }

  lead(seconds) {
    this.show("lead", milliseconds(seconds));
  }

  /** Null: this transport repairs losses by itself; undefined: nothing has come yet. */
  loss(share) {
    if (share !== undefined) this.show("loss", share === null ? "n/a (TCP)" : `${(share * 100).toFixed(1)} %`);
  }

  show(figure, text) {
    this.figures[figure].textContent = text;
  }
}
