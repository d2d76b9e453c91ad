// Microphone blocks of 128 floats in, 40 ms of s16le out, with their level.

const CHUNK = Math.round(sampleRate * 0.04);

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.chunk = new Int16Array(CHUNK);
    this.filled = 0;
    this.energy = 0;
  }

  process([input]) {
    const channel = input[0];
    if (!channel) return true;
    for (const sample of channel) {
      const clamped = Math.max(-1, Math.min(1, sample));
      this.energy += clamped * clamped;
      this.chunk[this.filled++] = clamped * 32767;
      if (this.filled === this.chunk.length) {
        const dbfs = 10 * Math.log10(this.energy / this.filled + 1e-12);
        this.port.postMessage({ pcm: this.chunk.buffer, dbfs }, [this.chunk.buffer]);
        this.chunk = new Int16Array(CHUNK);
        this.filled = 0;
        this.energy = 0;
      }
    }
    return true;
  }
}

registerProcessor("capture", Capture);
