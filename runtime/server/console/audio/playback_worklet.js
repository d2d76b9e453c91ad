// A queue of s16le pieces, played in order. It counts what was really played of each item, because that is
// what the caller heard: the number a truncation must carry.

const PREBUFFER_SECONDS = 0.06;
const REPORT_BLOCKS = 16;

class Playback extends AudioWorkletProcessor {
  constructor() {
    super();
    this.pieces = [];
    this.queued = 0;
    this.offset = 0;
    this.playing = false;
    this.played = new Map();
    this.blocks = 0;
    this.energy = 0;
    this.port.onmessage = ({ data }) => this.receive(data);
  }

  receive({ kind, item, pcm }) {
    if (kind === "push") {
      const samples = new Int16Array(pcm);
      this.pieces.push({ item, samples });
      this.queued += samples.length;
      if (!this.played.has(item)) this.played.set(item, 0);
    } else if (kind === "flush") {
      this.pieces = [];
      this.queued = 0;
      this.offset = 0;
      this.playing = false;
      this.port.postMessage({ kind: "flushed", played: [...this.played] });
      this.played.clear();
    }
  }

  process(_inputs, [output]) {
    const channel = output[0];
    if (!this.playing && this.queued >= sampleRate * PREBUFFER_SECONDS) this.playing = true;
    if (this.playing) this.fill(channel);
    for (const sample of channel) this.energy += sample * sample;
    if (++this.blocks === REPORT_BLOCKS) {
      const dbfs = 10 * Math.log10(this.energy / (REPORT_BLOCKS * channel.length) + 1e-12);
      this.port.postMessage({ kind: "level", dbfs, lead: this.queued / sampleRate, idle: this.queued === 0 });
      this.blocks = 0;
      this.energy = 0;
    }
    return true;
  }

  fill(channel) {
    for (let index = 0; index < channel.length; ) {
      const piece = this.pieces[0];
      if (!piece) {
        this.playing = false;
        return;
      }
      const take = Math.min(channel.length - index, piece.samples.length - this.offset);
      for (let step = 0; step < take; step++) channel[index + step] = piece.samples[this.offset + step] / 32768;
      const before = this.played.get(piece.item) ?? 0;
      if (before === 0) this.port.postMessage({ kind: "started", item: piece.item });
      this.played.set(piece.item, before + take);
      index += take;
      this.offset += take;
      this.queued -= take;
      if (this.offset === piece.samples.length) {
        this.pieces.shift();
        this.offset = 0;
      }
    }
  }
}

registerProcessor("playback", Playback);
