// Both sides' words as they are said; words that were cut off are struck out.

export class Captions {
  constructor(list) {
    this.list = list;
    this.lines = new Map();
  }

  clear() {
    this.list.replaceChildren();
    this.lines.clear();
  }

  apply(event) {
    switch (event.type) {
      case "conversation.item.added":
        if (event.item.type === "message" && event.item.role !== "system") this.open(event.item);
        break;
      case "conversation.item.input_audio_transcription.delta":
        this.open({ id: event.item_id, role: "user" });
        this.append(event.item_id, event.delta);
        break;
      case "conversation.item.input_audio_transcription.completed":
        this.replace(event.item_id, event.transcript || "(nothing was understood)");
        break;
      case "response.output_audio_transcript.delta":
      case "response.output_text.delta":
        this.append(event.item_id, event.delta);
        break;
      case "conversation.item.retrieved":
        if (event.item.role === "assistant") this.strike(event.item);
        break;
    }
  }

  open(item) {
    if (this.lines.has(item.id)) return;
    const line = document.createElement("li");
    const you = item.role === "user";
    line.className = you ? "you" : "agent";
    const who = document.createElement("span");
    who.className = "who";
    who.textContent = you ? "You" : "Agent";
    const said = document.createElement("span");
    said.textContent = item.content?.[0]?.text ?? (you ? "…" : "");
    line.append(who, said);
    this.list.append(line);
    this.lines.set(item.id, { said, fresh: true });
    line.scrollIntoView({ block: "nearest" });
  }

  append(id, delta) {
    const line = this.lines.get(id);
    if (!line) return;
    if (line.fresh) line.said.textContent = "";
    line.fresh = false;
    line.said.textContent += delta;
    line.said.scrollIntoView({ block: "nearest" });
  }

  replace(id, text) {
    const line = this.lines.get(id);
    if (line) line.said.textContent = text;
  }

  strike(item) {
    const line = this.lines.get(item.id);
    const heard = item.content?.[0]?.transcript ?? "";
    if (!line) return;
    const all = line.said.textContent;
    if (!all.startsWith(heard) || heard.length === all.length) return;
    const unheard = document.createElement("span");
    unheard.className = "unheard";
    unheard.textContent = all.slice(heard.length);
    line.said.replaceChildren(heard, unheard);
  }
}
