// The talk page: joins the account, one call, and what is shown of it.

import { Api } from "./api.js";
import { Captions } from "./captions.js";
import { Strip } from "./strip.js";
import { WebRtcCall } from "./webrtc_call.js";
import { WebSocketCall } from "./websocket_call.js";

const CALLS = { webrtc: WebRtcCall, websocket: WebSocketCall };
const WANT_TRANSCRIPTS = {
  type: "session.update",
  session: { type: "realtime", audio: { input: { transcription: { model: "default" } } } },
};
const SPEECH_DBFS = -45;
const SILENT_DBFS = -60;
const LOSS_INTERVAL_MS = 1000;

const $ = (id) => document.getElementById(id);
const captions = new Captions($("captions"));
const strip = new Strip($("strip"));
let api = null;
let call = null;
let lossTimer = null;
let answering = false;

function say(text, { bad = false } = {}) {
  $("status").textContent = text;
  $("status").classList.toggle("bad", bad);
}

async function enter(newApi) {
  api = newApi;
  const agents = await api.agents();
  localStorage.setItem("vivavoce.key", api.key);
  $("key").value = api.key;
  $("agent").replaceChildren(...agents.map((agent) => new Option(agent.name, agent.agent_id)));
  $("agent").disabled = agents.length === 0;
  $("talk").disabled = agents.length === 0;
  say(agents.length ? "Press Talk, and allow the microphone." : "This account has no agents yet: create one first.");
}

async function talk() {
  const transport = document.querySelector("[name=transport]:checked").value;
  captions.clear();
  strip.reset();
  answering = false;
  enable(["hangup"]);
  say("Calling…");
  const made = (call = new CALLS[transport]({ key: api.key, agent: $("agent").value }));
  // A call that is over still delivers what its audio thread had queued.
  const on = (type, act) => made.addEventListener(type, ({ detail }) => call === made && act(detail));
  on("event", heard);
  on("level", level);
  on("lead", ({ seconds }) => strip.lead(seconds));
  on("sounding", () => strip.sounding());
  on("line", ({ up }) => {
    say(up ? "Connected again. Speak, or type." : "The connection was lost. Trying to come back…");
  });
  on("closed", ({ reason }) => ended(reason));
  try {
    await made.open();
    if (call !== made) return;
    enable(["hangup", "mute", "text", "send", "keypad"]);
    say("Connected. Speak, or type.");
    lossTimer = setInterval(async () => call && strip.loss(await call.loss()), LOSS_INTERVAL_MS);
  } catch (error) {
    if (call !== made) return;
    const refused = error.name === "NotAllowedError";
    made.close();
    say(refused ? "The microphone is blocked: allow it in the address bar." : error.message, { bad: true });
  }
}

function heard(event) {
  if (event.type === "session.created") call.send(WANT_TRANSCRIPTS);
  captions.apply(event);
  strip.apply(event);
  if (event.type === "error") say(event.error.message, { bad: true });
  if (event.type === "input_audio_buffer.speech_started") say("Listening…");
  if (event.type === "response.created") {
    answering = true;
    say("Answering…");
  }
  if (event.type === "response.done") {
    answering = false;
    say("Connected. Speak, or type.");
  }
}

function level({ side, dbfs }) {
  $(side === "mic" ? "mic-level" : "agent-level").value = dbfs;
  if (side === "mic" && dbfs > SPEECH_DBFS) strip.loud();
}

function ended(reason) {
  call = null;
  clearInterval(lossTimer);
  enable(["talk", "agent", "transport"]);
  for (const side of ["mic", "agent"]) level({ side, dbfs: SILENT_DBFS });
  say(reason ? `The call ended: ${reason}` : "The call ended.");
}

const CONTROLS = ["talk", "agent", "transport", "mute", "hangup", "text", "send", "keypad"];

/** These controls, and no others. */
function enable(usable) {
  for (const id of CONTROLS) $(id).disabled = !usable.includes(id);
  $("mute").setAttribute("aria-pressed", "false");
  $("mute").textContent = "Mute";
}

for (const digit of "123456789*0#") {
  const key = document.createElement("button");
  key.type = "button";
  key.textContent = digit;
  key.setAttribute("aria-label", `Key ${{ "*": "star", "#": "pound" }[digit] ?? digit}`);
  key.addEventListener("click", () => call?.send({ type: "vivavoce.dtmf", digit }));
  $("keypad").append(key);
}

const attempt = (work) => work.catch((error) => say(error.message, { bad: true }));

$("account").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(enter(new Api($("key").value.trim())));
});
$("sandbox").addEventListener("click", () => attempt(Api.sandbox().then(enter)));
$("talk").addEventListener("click", talk);
$("hangup").addEventListener("click", () => call?.close());
$("mute").addEventListener("click", () => {
  const muted = $("mute").getAttribute("aria-pressed") !== "true";
  $("mute").setAttribute("aria-pressed", String(muted));
  $("mute").textContent = muted ? "Unmute" : "Mute";
  call?.mute(muted);
});
addEventListener("pagehide", () => call?.close());
$("type").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text || !call) return;
  if (answering) call.interrupt();
  call.send({
    type: "conversation.item.create",
    item: { type: "message", role: "user", content: [{ type: "input_text", text }] },
  });
  call.send({ type: "response.create" });
  $("text").value = "";
});

const remembered = localStorage.getItem("vivavoce.key");
if (remembered) attempt(enter(new Api(remembered)));
