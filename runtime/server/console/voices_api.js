// The REST calls of the voices page.

import { Api, ApiError } from "./api.js";

const POLL_MS = 500;
const PATIENCE_MS = 120_000;

export class VoicesApi extends Api {
  async form(path, fields) {
    const body = new FormData();
    for (const [name, value] of Object.entries(fields)) body.append(name, value);
    const response = await fetch(path, { method: "POST", headers: { authorization: `Bearer ${this.key}` }, body });
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) {
      const { message, fix } = answer.error ?? {};
      throw new ApiError([message ?? response.statusText, fix].filter(Boolean).join(" → "));
    }
    return answer;
  }

  async blobUrl(path) {
    const response = await fetch(path, { headers: { authorization: `Bearer ${this.key}` } });
    if (!response.ok) {
      const answer = await response.json().catch(() => ({}));
      throw new ApiError(answer.error?.message ?? response.statusText);
    }
    return URL.createObjectURL(await response.blob());
  }

  async clones() {
    const all = [];
    for (let cursor = ""; ; ) {
      const page = await this.json("GET", `/v1/voice/clones?limit=100${cursor && `&cursor=${cursor}`}`);
      all.push(...page.data);
      if (!page.has_more) return all;
      cursor = page.next_cursor;
    }
  }

  async all() {
    const [clones, catalogue] = await Promise.all([this.clones(), this.json("GET", "/v1/voices")]);
    const own = clones.map((voice) => ({ ...voice, kind: "clone" }));
    const known = new Set(own.map((voice) => voice.id));
    const others = catalogue.data
      .filter((voice) => !known.has(voice.voice_id))
      .map((voice) => ({ id: voice.voice_id, name: voice.name, kind: voice.source, status: "ready" }));
    return [...own, ...others];
  }

  clone({ name, file, consent }) {
    return this.form("/v1/voice/clones", { name, file, ...(consent && { consent: "true" }) });
  }

  check(file) {
    return this.form("/v1/voice/clones/check", { file });
  }

  async settled(id) {
    for (const givenUp = performance.now() + PATIENCE_MS; performance.now() < givenUp; ) {
      const voice = await this.json("GET", `/v1/voice/clones/${id}`);
      if (voice.status !== "pending") return voice;
      await new Promise((wake) => setTimeout(wake, POLL_MS));
    }
    throw new ApiError("The voice is still being made; look for it in the list in a moment.");
  }

  report(id) {
    return this.json("GET", `/v1/voice/clones/${id}/report`);
  }

  remove(id) {
    return this.json("DELETE", `/v1/voice/clones/${id}`);
  }

  assign(agent, voice) {
    return this.json("PATCH", `/v1/agents/${agent}`, { voice_id: voice });
  }
}
