// A call over WebRTC: the browser captures and plays, the server knows what was heard.
//
// When the network goes away, ICE is restarted on the same connection; when that does not help, the call goes
// on over a new one, by the token that every session.created brings.

import { microphone } from "./microphone.js";
import { CallOver, comeBack, within } from "./reconnection.js";

const LEVEL_INTERVAL_MS = 80;
const CONNECT_MS = 6000;
const CALLS = "/v1/realtime/calls";
const SDP = "application/sdp";

export class WebRtcCall extends EventTarget {
  constructor({ key, agent }) {
    super();
    this.key = key;
    this.agent = agent;
    this.item = null;
    this.token = null;
    this.over = false;
    this.returning = false;
    this.meters = {};
  }

  async open() {
    await microphone(this);
    this.audio = new AudioContext();
    this.speaker = new Audio();
    this.meter("mic", this.stream);
    await this.connect({ model: this.agent, resumable: "true" });
    await this.audio.resume();
  }

  async connect(query) {
    const peer = (this.peer = new RTCPeerConnection());
    peer.ontrack = ({ streams: [stream] }) => {
      this.speaker.srcObject = stream;
      this.speaker.play();
      this.meter("agent", stream);
    };
    for (const track of this.stream.getTracks()) peer.addTrack(track, this.stream);
    this.channel = peer.createDataChannel("oai-events");
    this.channel.onmessage = ({ data }) => this.receive(JSON.parse(data));
    const opened = new Promise((resolve) => (this.channel.onopen = resolve));
    // The server hangs up by closing the channel; while we try to come back it may only have given this one up.
    this.channel.onclose = () => this.returning || this.end("");
    peer.onconnectionstatechange = () => {
      if (["disconnected", "failed"].includes(peer.connectionState)) this.comeBack();
    };
    await peer.setLocalDescription();
    const answer = await this.ask("POST", `${CALLS}?${new URLSearchParams(query)}`, peer.localDescription.sdp);
    this.location = answer.headers.get("location");
    if (this.over) {
      this.leave();
      throw new CallOver("hung up");
    }
    await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
    await within(CONNECT_MS, opened);
  }

  async ask(method, path, body) {
    const headers = { authorization: `Bearer ${this.key}`, "content-type": SDP };
    const answer = await fetch(path, { method, headers, body });
    if (answer.ok) return answer;
    const problem = await answer.json().catch(() => ({}));
    const message = problem.error?.message ?? answer.statusText;
    throw answer.status === 404 ? new CallOver(message) : new Error(message);
  }

  async comeBack() {
    if (this.returning || this.over) return;
    this.returning = true;
    this.emit("line", { up: false });
    const back = await comeBack(() => this.restart().catch(() => this.renew()), () => !this.over);
    this.returning = false;
    if (back) this.emit("line", { up: true });
    else this.end("connection lost");
  }

  /** The same connection on another path. */
  async restart() {
    const { peer } = this;
    if (peer.connectionState === "connected") return;
    peer.restartIce();
    await peer.setLocalDescription();
    const answer = await this.ask("PATCH", this.location, peer.localDescription.sdp);
    const connected = new Promise((resolve) => {
      peer.addEventListener("connectionstatechange", () => peer.connectionState === "connected" && resolve());
    });
    await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
    if (peer.connectionState !== "connected") await within(CONNECT_MS, connected);
  }

  /** The same call on another connection. */
  async renew() {
    if (!this.token) throw new CallOver("there is no token");
    this.drop();
    await this.connect({ resume: this.token });
  }

  drop() {
    if (!this.peer) return;
    this.peer.onconnectionstatechange = null;
    if (this.channel) this.channel.onclose = null;
    this.peer.close();
  }

  meter(side, stream) {
    clearInterval(this.meters[side]);
    const analyser = new AnalyserNode(this.audio, { fftSize: 1024 });
    this.audio.createMediaStreamSource(stream).connect(analyser);
    const block = new Float32Array(analyser.fftSize);
    this.meters[side] = setInterval(() => {
      analyser.getFloatTimeDomainData(block);
      const energy = block.reduce((sum, sample) => sum + sample * sample, 0) / block.length;
      this.emit("level", { side, dbfs: 10 * Math.log10(energy + 1e-12) });
    }, LEVEL_INTERVAL_MS);
  }

  send(event) {
    if (this.channel?.readyState === "open") this.channel.send(JSON.stringify(event));
  }

  receive(event) {
    if (event.type === "session.created") this.token = event.session.resume?.token ?? null;
    if (event.type === "output_audio_buffer.started") this.emit("sounding", { item: this.item });
    if (event.type === "response.output_item.added" && event.item.type === "message") this.item = event.item.id;
    if (event.type === "output_audio_buffer.cleared" && this.item) {
      this.send({ type: "conversation.item.retrieve", item_id: this.item });
    }
    this.emit("event", event);
  }

  interrupt() {
    this.send({ type: "response.cancel" });
    this.send({ type: "output_audio_buffer.clear" });
  }

  mute(muted) {
    for (const track of this.stream.getAudioTracks()) track.enabled = !muted;
  }

  /** Share of packets lost; undefined while none has come. */
  async loss() {
    for (const report of (await this.peer.getStats()).values()) {
      if (report.type === "inbound-rtp" && report.kind === "audio") {
        const total = report.packetsReceived + report.packetsLost;
        const emitted = report.jitterBufferEmittedCount;
        if (emitted) this.emit("lead", { seconds: report.jitterBufferDelay / emitted });
        if (total) return report.packetsLost / total;
      }
    }
    return undefined;
  }

  /** Hang up. */
  close() {
    if (this.location && !this.over) this.leave();
    this.end("");
  }

  leave() {
    const headers = { authorization: `Bearer ${this.key}` };
    fetch(this.location, { method: "DELETE", headers, keepalive: true }).catch(() => {});
  }

  end(reason) {
    if (this.over) return;
    this.over = true;
    for (const timer of Object.values(this.meters)) clearInterval(timer);
    this.drop();
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.audio?.close();
    this.emit("closed", { reason });
  }

  emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
