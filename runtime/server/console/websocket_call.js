// A call over the Realtime WebSocket: the page captures, plays, and knows what was heard.

const RATE = 24000;

export class WebSocketCall extends EventTarget {
  constructor({ key, agent }) {
    super();
    this.key = key;
    this.agent = agent;
    this.item = null;
  }

  async open() {
    this.audio = new AudioContext({ sampleRate: RATE });
    await this.audio.audioWorklet.addModule("audio/capture_worklet.js");
    await this.audio.audioWorklet.addModule("audio/playback_worklet.js");
    this.stream = await navigator.mediaDevices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    });
    this.playback = new AudioWorkletNode(this.audio, "playback", { outputChannelCount: [1] });
    this.playback.connect(this.audio.destination);
    this.playback.port.onmessage = ({ data }) => this.played(data);
    await this.connect();
    const capture = new AudioWorkletNode(this.audio, "capture");
    this.audio.createMediaStreamSource(this.stream).connect(capture);
    // It writes nothing there; a node that leads nowhere is not run.
    capture.connect(this.audio.destination);
    capture.port.onmessage = ({ data }) => this.captured(data);
    await this.audio.resume();
  }

  connect() {
    const url = new URL(`/v1/realtime?model=${encodeURIComponent(this.agent)}`, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    this.socket = new WebSocket(url, ["realtime", `openai-insecure-api-key.${this.key}`]);
    this.socket.onmessage = ({ data }) => this.receive(JSON.parse(data));
    return new Promise((resolve, reject) => {
      this.socket.onopen = resolve;
      this.socket.onclose = ({ code, reason }) => {
        reject(new Error(reason || `the server refused the call (${code})`));
        this.emit("closed", { reason });
      };
    });
  }

  send(event) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(event));
  }

  receive(event) {
    if (event.type === "response.output_audio.delta") {
      const pcm = Uint8Array.from(atob(event.delta), (char) => char.charCodeAt(0)).buffer;
      this.item = event.item_id;
      this.playback.port.postMessage({ kind: "push", item: event.item_id, pcm }, [pcm]);
    } else if (event.type === "input_audio_buffer.speech_started") {
      this.playback.port.postMessage({ kind: "flush" });
    }
    this.emit("event", event);
  }

  captured({ pcm, dbfs }) {
    this.emit("level", { side: "mic", dbfs });
    const bytes = new Uint8Array(pcm);
    let binary = "";
    for (let start = 0; start < bytes.length; start += 8192) {
      binary += String.fromCharCode(...bytes.subarray(start, start + 8192));
    }
    this.send({ type: "input_audio_buffer.append", audio: btoa(binary) });
  }

  played(report) {
    if (report.kind === "level") {
      this.emit("level", { side: "agent", dbfs: report.dbfs });
      this.emit("lead", { seconds: report.lead });
    } else if (report.kind === "started") {
      this.emit("sounding", { item: report.item });
    } else if (report.kind === "flushed" && this.item) {
      const samples = new Map(report.played).get(this.item);
      if (samples !== undefined) {
        const heard = Math.floor((samples / RATE) * 1000);
        this.send({ type: "conversation.item.truncate", item_id: this.item, content_index: 0, audio_end_ms: heard });
        this.send({ type: "conversation.item.retrieve", item_id: this.item });
      }
      this.item = null;
    }
  }

  interrupt() {
    this.send({ type: "response.cancel" });
    this.playback.port.postMessage({ kind: "flush" });
  }

  mute(muted) {
    for (const track of this.stream.getAudioTracks()) track.enabled = !muted;
  }

  async loss() {
    return null;
  }

  close() {
    this.socket.onclose = null;
    this.socket.close(1000);
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.audio?.close();
    this.emit("closed", { reason: "" });
  }

  emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
