// The REST calls the page makes.

export class ApiError extends Error {}

export class Api {
  constructor(key) {
    this.key = key;
  }

  async json(method, path, body) {
    const headers = { ...(this.key && { authorization: `Bearer ${this.key}` }) };
    if (body) headers["content-type"] = "application/json";
    const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
    if (response.status === 204) return null;
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) throw new ApiError(answer.error?.message ?? answer.detail ?? response.statusText);
    return answer;
  }

  async agents() {
    return (await this.json("GET", "/v1/agents")).data;
  }

  static async sandbox() {
    const scopes = ["voice:clone", "voice:synthesize", "omni:session", "omni:read"];
    const { api_key: key } = await new Api().json("POST", "/v1/sandbox/keys", { label: "talk page", scopes });
    const api = new Api(key);
    await api.json("POST", "/v1/agents", { name: "Echo", greeting: "Hello. Say something, and I will say it back." });
    return api;
  }
}
