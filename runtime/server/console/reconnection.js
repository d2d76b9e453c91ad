// What both kinds of call do when their line breaks: try to come back, for as long as the server waits.

export const WAITS_MS = 30_000;
const PAUSE_MS = 700;

/** The server knows this call no more: trying again is no use. */
export class CallOver extends Error {}

/** A promise that fails when `ms` have passed. */
export function within(ms, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("it took too long")), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Run `attempt` until it succeeds; resolves to whether it did. `wanted` is asked before each. */
export async function comeBack(attempt, wanted) {
  const end = performance.now() + WAITS_MS;
  while (wanted() && performance.now() < end) {
    try {
      await attempt();
      return true;
    } catch (error) {
      if (error instanceof CallOver) return false;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
  return false;
}
