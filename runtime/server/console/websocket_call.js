// A call over the Realtime WebSocket: the page captures, plays, and knows what was heard.
//
// When the socket breaks, the call goes on over another, by the token that every session.created brings.

import { microphone } from "./microphone.js";
import { comeBack, within } from "./reconnection.js";

const RATE = 24000;
const CONNECT_MS = 5000;
const BROKEN = [1005, 1006, 1011, 1012];

export class WebSocketCall extends EventTarget {
  constructor({ key, agent }) {
    super();
    this.key = key;
    this.agent = agent;
    this.item = null;
    this.token = null;
    this.over = false;
  }

  async open() {
    this.audio = new AudioContext({ sampleRate: RATE });
    await this.audio.audioWorklet.addModule("audio/capture_worklet.js");
    await this.audio.audioWorklet.addModule("audio/playback_worklet.js");
    await microphone(this);
    this.playback = new AudioWorkletNode(this.audio, "playback", { outputChannelCount: [1] });
    this.playback.connect(this.audio.destination);
    this.playback.port.onmessage = ({ data }) => this.played(data);
    await this.connect({ model: this.agent, resumable: "true" });
    const capture = new AudioWorkletNode(this.audio, "capture");
    this.audio.createMediaStreamSource(this.stream).connect(capture);
    // It writes nothing there; a node that leads nowhere is not run.
    capture.connect(this.audio.destination);
    capture.port.onmessage = ({ data }) => this.captured(data);
    await this.audio.resume();
  }

  connect(query) {
    const url = new URL(`/v1/realtime?${new URLSearchParams(query)}`, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = (this.socket = new WebSocket(url, ["realtime", `openai-insecure-api-key.${this.key}`]));
    socket.onmessage = ({ data }) => this.receive(JSON.parse(data));
    const greeted = new Promise((resolve, reject) => {
      this.greeted = resolve;
      socket.onclose = ({ code, reason }) => reject(new Error(reason || `the server refused the call (${code})`));
    });
    return within(CONNECT_MS, greeted).then(() => {
      socket.onclose = ({ code, reason }) => this.broke(code, reason);
    });
  }

  async broke(code, reason) {
    if (this.over) return;
    if (!this.token || !BROKEN.includes(code)) return this.end(reason);
    this.emit("line", { up: false });
    if (await comeBack(() => this.connect({ resume: this.token }), () => !this.over)) this.emit("line", { up: true });
    else this.end("connection lost");
  }

  send(event) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(event));
  }

  receive(event) {
    if (event.type === "session.created") {
      this.token = event.session.resume?.token ?? null;
      this.greeted();
    }
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

  /** Hang up. */
  close() {
    if (this.socket) {
      this.socket.onclose = null;
      this.socket.close(1000);
    }
    this.end("");
  }

  end(reason) {
    if (this.over) return;
    this.over = true;
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.audio?.close();
    this.emit("closed", { reason });
  }

  emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
