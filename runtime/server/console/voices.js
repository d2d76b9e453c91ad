// The voices page: recordings become voices, voices are heard, and agents are given one.

import { Api } from "./api.js";
import { showReport } from "./report.js";
import { VoicesApi } from "./voices_api.js";

const $ = (id) => document.getElementById(id);
let api = null;
let agents = [];

function say(text, { bad = false } = {}) {
  $("status").textContent = text;
  $("status").classList.toggle("bad", bad);
}

const attempt = (work) => work.catch((error) => say(error.message, { bad: true }));

async function enter(key) {
  api = new VoicesApi(key);
  await refresh();
  localStorage.setItem("vivavoce.key", key);
  $("key").value = key;
  for (const element of $("upload").elements) element.disabled = false;
  say("Upload a recording, or listen to a voice.");
}

async function refresh() {
  const chosen = $("agent").value;
  const [voices, found] = await Promise.all([api.all(), api.agents()]);
  agents = found;
  $("agent").replaceChildren(...agents.map((agent) => new Option(agent.name, agent.agent_id)));
  if (agents.some((agent) => agent.agent_id === chosen)) $("agent").value = chosen;
  $("agent").disabled = agents.length === 0;
  $("voices").replaceChildren(...voices.map(row));
  markChosen();
}

function row(voice) {
  const line = document.createElement("tr");
  line.dataset.voice = voice.id;
  for (const text of [voice.name, voice.kind, voice.status]) line.insertCell().textContent = text;
  const actions = line.insertCell();
  actions.className = "actions";
  const ready = voice.status === "ready";
  if (ready) actions.append(button("Play", voice, () => play(voice)));
  if (ready && agents.length) actions.append(button("Assign", voice, () => assign(voice)));
  if (voice.kind === "clone" && voice.status !== "pending") actions.append(button("Report", voice, () => report(voice)));
  if (voice.kind === "clone") actions.append(button("Delete", voice, () => remove(voice)));
  return line;
}

function button(label, voice, work) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = label;
  made.setAttribute("aria-label", `${label} ${voice.name}`);
  made.addEventListener("click", () => attempt(work()));
  return made;
}

function markChosen() {
  const agent = agents.find(({ agent_id: id }) => id === $("agent").value);
  for (const line of $("voices").rows) line.toggleAttribute("aria-current", line.dataset.voice === agent?.voice_id);
}

async function play(voice) {
  say(`${voice.name} is about to speak…`);
  const player = $("player");
  URL.revokeObjectURL(player.src);
  player.src = await api.blobUrl(`/v1/voices/${voice.id}/preview`);
  player.hidden = false;
  await player.play();
  say(`This is ${voice.name}.`);
}

async function assign(voice) {
  const name = $("agent").selectedOptions[0].text;
  await api.assign($("agent").value, voice.id);
  await refresh();
  say(`${name} speaks as ${voice.name} from the next call on.`);
}

async function report(voice) {
  const body = await api.report(voice.id);
  const picture = await api.blobUrl(`/v1/voice/clones/${voice.id}/report.png`).catch(() => null);
  showReport($("report"), body, picture);
  say(`The report on ${voice.name}.`);
}

async function remove(voice) {
  if (!confirm(`Delete ${voice.name} and its recording?`)) return;
  await api.remove(voice.id);
  await refresh();
  say(`${voice.name} is gone.`);
}

async function upload() {
  const file = $("file").files[0];
  const voice = await busy(async () => {
    say("Sending the recording…");
    const made = await api.clone({ name: $("name").value, file, consent: $("consent").checked });
    await refresh();
    say("The recording is being judged, and a voice made of it…");
    return api.settled(made.id);
  });
  await refresh();
  await report(voice);
  if (voice.status === "failed") say(`${voice.failure.message} → ${voice.failure.fix}`, { bad: true });
  else say(`${voice.name} is ready.`);
}

async function judge() {
  const file = $("file").files[0];
  if (!file) return say("Choose a recording first.", { bad: true });
  say("The recording is being judged…");
  showReport($("report"), await busy(() => api.check(file)));
  return say("Nothing was stored.");
}

async function busy(work) {
  $("progress").hidden = false;
  for (const element of $("upload").elements) element.disabled = true;
  try {
    return await work();
  } finally {
    $("progress").hidden = true;
    for (const element of $("upload").elements) element.disabled = false;
  }
}

$("account").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(enter($("key").value.trim()));
});
$("sandbox").addEventListener("click", () => attempt(Api.sandbox().then(({ key }) => enter(key))));
$("upload").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(upload());
});
$("check").addEventListener("click", () => attempt(judge()));
$("agent").addEventListener("change", markChosen);

const remembered = localStorage.getItem("vivavoce.key");
if (remembered) attempt(enter(remembered));
