// A call over WebRTC: the browser captures and plays, the server knows what was heard.

const LEVEL_INTERVAL_MS = 80;

export class WebRtcCall extends EventTarget {
  constructor({ key, agent }) {
    super();
    this.key = key;
    this.agent = agent;
    this.item = null;
  }

  async open() {
    this.stream = await navigator.mediaDevices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    });
    this.peer = new RTCPeerConnection();
    this.audio = new AudioContext();
    this.speaker = new Audio();
    this.peer.ontrack = ({ streams: [stream] }) => {
      this.speaker.srcObject = stream;
      this.speaker.play();
      this.meter("agent", stream);
    };
    for (const track of this.stream.getTracks()) this.peer.addTrack(track, this.stream);
    this.meter("mic", this.stream);
    this.channel = this.peer.createDataChannel("oai-events");
    this.channel.onmessage = ({ data }) => this.receive(JSON.parse(data));
    const opened = new Promise((resolve) => (this.channel.onopen = resolve));
    this.peer.onconnectionstatechange = () => {
      if (["failed", "closed"].includes(this.peer.connectionState)) this.emit("closed", { reason: "connection lost" });
    };
    await this.offer();
    await opened;
    await this.audio.resume();
  }

  async offer() {
    await this.peer.setLocalDescription();
    const answer = await fetch(`/v1/realtime/calls?model=${encodeURIComponent(this.agent)}`, {
      method: "POST",
      headers: { authorization: `Bearer ${this.key}`, "content-type": "application/sdp" },
      body: this.peer.localDescription.sdp,
    });
    if (!answer.ok) {
      const problem = await answer.json().catch(() => ({}));
      throw new Error(problem.error?.message ?? answer.statusText);
    }
    this.location = answer.headers.get("location");
    await this.peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
  }

  meter(side, stream) {
    const analyser = new AnalyserNode(this.audio, { fftSize: 1024 });
    this.audio.createMediaStreamSource(stream).connect(analyser);
    const block = new Float32Array(analyser.fftSize);
    const timer = setInterval(() => {
      analyser.getFloatTimeDomainData(block);
      const energy = block.reduce((sum, sample) => sum + sample * sample, 0) / block.length;
      this.emit("level", { side, dbfs: 10 * Math.log10(energy + 1e-12) });
    }, LEVEL_INTERVAL_MS);
    this.timers = [...(this.timers ?? []), timer];
  }

  send(event) {
    if (this.channel?.readyState === "open") this.channel.send(JSON.stringify(event));
  }

  receive(event) {
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

  async loss() {
    for (const report of (await this.peer.getStats()).values()) {
      if (report.type === "inbound-rtp" && report.kind === "audio") {
        const total = report.packetsReceived + report.packetsLost;
        const emitted = report.jitterBufferEmittedCount;
        if (emitted) this.emit("lead", { seconds: report.jitterBufferDelay / emitted });
        return total ? report.packetsLost / total : 0;
      }
    }
    return null;
  }

  close() {
    for (const timer of this.timers ?? []) clearInterval(timer);
    if (this.location) {
      fetch(this.location, { method: "DELETE", headers: { authorization: `Bearer ${this.key}` } }).catch(() => {});
    }
    if (this.peer) this.peer.onconnectionstatechange = null;
    this.peer?.close();
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.audio?.close();
    this.emit("closed", { reason: "" });
  }

  emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
