// @openai/agents-realtime in Node, over a WebSocket or over WebRTC; see script.py for the conversation.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import {
  OpenAIRealtimeWebRTC,
  OpenAIRealtimeWebSocket,
  RealtimeAgent,
  RealtimeSession,
  tool,
} from '@openai/agents-realtime';
import { z } from 'zod';

const RATE = 24000;
const FRAME_BYTES = (RATE / 50) * 2;
const FORECAST = 'sunny and mild';

const task = JSON.parse(process.argv[2]);
const report = {
  user_transcripts: [],
  agent_transcripts: [],
  audio_seconds: 0,
  tool_calls: [],
  interruptions: 0,
  errors: [],
  notes: {},
};
const seen = [];
let speech = Buffer.alloc(0);

const getWeather = tool({
  name: 'get_weather',
  description: 'The weather in a city',
  parameters: z.object({ city: z.string() }),
  execute: async ({ city }) => {
    report.tool_calls.push(city);
    return FORECAST;
  },
});

async function until(what, holds, patience = 20_000) {
  const giveUp = Date.now() + patience;
  while (!holds()) {
    if (Date.now() > giveUp) throw new Error(`${what} did not happen in ${patience} ms`);
    await sleep(20);
  }
}

function say(path) {
  speech = Buffer.concat([speech, readFileSync(path)]);
}

// 20 ms every 20 ms, silence where nothing is to be said.
async function microphone(send) {
  const begun = performance.now();
  for (let sent = 1; ; sent += 1) {
    const frame = Buffer.alloc(FRAME_BYTES);
    speech.copy(frame, 0, 0, FRAME_BYTES);
    speech = speech.subarray(FRAME_BYTES);
    send(frame);
    await sleep(Math.max(0, begun + sent * 20 - performance.now()));
  }
}

function finished() {
  return seen.filter((type) => type === 'response.done').length;
}

async function overWebSocket(agent) {
  const transport = new OpenAIRealtimeWebSocket({ url: `${task.url.replace('http', 'ws')}/v1/realtime?model=${task.agent}` });
  const session = new RealtimeSession(agent, { transport, config: sessionConfig });
  session.on('audio', (event) => {
    report.audio_seconds += event.data.byteLength / (2 * RATE);
  });
  await session.connect({ apiKey: task.key });
  microphone((frame) =>
    session.sendAudio(frame.buffer.slice(frame.byteOffset, frame.byteOffset + frame.byteLength)),
  );
  return session;
}

async function overWebRTC(agent) {
  const wrtc = (await import('@roamhq/wrtc')).default;
  globalThis.RTCPeerConnection = wrtc.RTCPeerConnection;
  globalThis.MediaStream = wrtc.MediaStream;
  const source = new wrtc.nonstandard.RTCAudioSource();
  const stream = new wrtc.MediaStream([source.createTrack()]);
  const transport = new OpenAIRealtimeWebRTC({
    baseUrl: `${task.url}/v1/realtime/calls`,
    mediaStream: stream,
    audioElement: { autoplay: true },
    changePeerConnection: (connection) => {
      connection.addEventListener('track', ({ track }) => {
        const sink = new wrtc.nonstandard.RTCAudioSink(track);
        sink.ondata = ({ samples, sampleRate, numberOfFrames }) => {
          if (samples.some((sample) => Math.abs(sample) > 200)) {
            report.audio_seconds += numberOfFrames / sampleRate;
          }
        };
      });
      return connection;
    },
  });
  const session = new RealtimeSession(agent, { transport, config: sessionConfig });
  await session.connect({ apiKey: task.secret });
  // The source takes 10 ms at a time.
  microphone((frame) => {
    for (const start of [0, FRAME_BYTES / 2]) {
      const samples = new Int16Array(FRAME_BYTES / 4);
      for (let i = 0; i < samples.length; i += 1) samples[i] = frame.readInt16LE(start + 2 * i);
      source.onData({ samples, sampleRate: RATE, bitsPerSample: 16, channelCount: 1 });
    }
  });
  return session;
}

const sessionConfig = {
  audio: {
    input: {
      transcription: { model: 'whisper-1' },
      turnDetection: { type: 'server_vad', interruptResponse: true, createResponse: true },
    },
  },
};

async function converse() {
  const agent = new RealtimeAgent({ name: 'Keeper', instructions: 'Be kind.', tools: [getWeather] });
  const session = await (task.secret ? overWebRTC(agent) : overWebSocket(agent));
  session.on('transport_event', (event) => {
    seen.push(event.type);
    // Over WebRTC the server plays the audio, and so tells when it was cut.
    if (event.type === 'output_audio_buffer.cleared') report.interruptions += 1;
  });
  session.on('error', ({ error }) => report.errors.push(JSON.stringify(error?.error ?? String(error))));
  session.on('audio_interrupted', () => {
    report.interruptions += 1;
  });
  say(task.weather);
  await until('the tool call', () => report.tool_calls.length > 0);
  await until('the forecast', () => finished() >= 2);
  await sleep(task.secret ? 2500 : 0); // on WebRTC the agent still speaks after response.done
  const before = report.audio_seconds;
  report.interruptions = 0;
  session.sendMessage('Tell me a story');
  await until('two seconds of story', () => report.audio_seconds > before + 2);
  say(task.interruption);
  await until('the interruption', () => report.interruptions > 0);
  await until('the end of the story', () => finished() >= 3);
  await sleep(1000);
  for (const item of session.history) {
    if (item.type !== 'message') continue;
    for (const part of item.content) {
      const text = part.transcript ?? part.text ?? '';
      (item.role === 'user' ? report.user_transcripts : report.agent_transcripts).push(text);
    }
  }
  report.notes.events = [...new Set(seen)].sort();
}

const tooLong = sleep(75_000).then(() => {
  throw new Error('the conversation took too long');
});
try {
  await Promise.race([converse(), tooLong]);
} catch (error) {
  report.errors.push(String(error));
}
console.log(`\n${JSON.stringify(report)}`);
process.exit(0);
