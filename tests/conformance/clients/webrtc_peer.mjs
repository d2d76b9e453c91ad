// A peer on libwebrtc, as in browsers: asks for a story and records it, then speaks and waits to be understood.
//
// Signalling goes over the standard streams, a JSON object a line: out {offer}, in {answer}, out {connected},
// out {transcript}.
import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

import wrtc from '@roamhq/wrtc';

const RATE = 48000;
const BLOCK = RATE / 100;
const PATIENCE_MS = 30_000;
const LOUD = 300;

const task = JSON.parse(process.argv[2]);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const tell = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

const peer = new wrtc.RTCPeerConnection();
const source = new wrtc.nonstandard.RTCAudioSource();
peer.addTrack(source.createTrack());
const channel = peer.createDataChannel('oai-events');
const events = [];
channel.onmessage = ({ data }) => events.push(JSON.parse(data));

// From the first sound on: events travel apart from the sound, and one that is lost comes seconds later.
let recording = false;
const recorded = [];
peer.ontrack = ({ track }) => {
  const sink = new wrtc.nonstandard.RTCAudioSink(track);
  // Until media comes, the sink is handed silence of another rate.
  sink.ondata = ({ samples, channelCount, sampleRate }) => {
    if (!recording || sampleRate !== RATE) return;
    const mono = samples.filter((_, index) => index % channelCount === 0);
    if (recorded.length || mono.some((sample) => Math.abs(sample) > LOUD)) recorded.push(mono);
  };
};

async function until(type) {
  const giveUp = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = events.find((event) => event.type === type);
    if (found) return found;
    if (Date.now() > giveUp) throw new Error(`no ${type}`);
    await sleep(20);
  }
}

const send = (event) => channel.send(JSON.stringify(event));

// The source takes 10 ms at a time; silence where nothing is to be said.
let speech = new Int16Array(0);
async function microphone() {
  const begun = performance.now();
  for (let sent = 1; ; sent += 1) {
    const samples = new Int16Array(BLOCK);
    samples.set(speech.subarray(0, BLOCK));
    speech = speech.subarray(BLOCK);
    source.onData({ samples, sampleRate: RATE, bitsPerSample: 16, channelCount: 1 });
    await sleep(Math.max(0, begun + sent * 10 - performance.now()));
  }
}

await peer.setLocalDescription(await peer.createOffer());
tell({ offer: peer.localDescription.sdp });
const { answer } = JSON.parse((await lines.next()).value);
await peer.setRemoteDescription({ type: 'answer', sdp: answer });
await until('session.created');
microphone();
tell({ connected: true });

send({
  type: 'conversation.item.create',
  item: { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Tell me a story' }] },
});
recording = true;
send({ type: 'response.create' });
await until('output_audio_buffer.started');
const giveUp = Date.now() + PATIENCE_MS;
while (recorded.length * BLOCK < task.seconds * RATE) {
  if (Date.now() > giveUp) throw new Error('no story');
  await sleep(20);
}
recording = false;
const all = Int16Array.from(recorded.flatMap((block) => [...block]));
writeFileSync(task.recording, Buffer.from(all.buffer));
send({ type: 'response.cancel' });
send({ type: 'output_audio_buffer.clear' });

const input = { transcription: { model: 'any' }, turn_detection: { type: 'server_vad', create_response: false } };
send({ type: 'session.update', session: { type: 'realtime', audio: { input } } });
await until('session.updated');
const file = readFileSync(task.speech);
speech = new Int16Array(file.buffer, file.byteOffset, file.length / 2);
tell({ transcript: (await until('conversation.item.input_audio_transcription.completed')).transcript });
process.exit(0);
