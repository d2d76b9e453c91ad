// The caller's microphone, as both kinds of call take it.

import { CallOver } from "./reconnection.js";

/** The microphone of `call`; let go of at once where the call was hung up while the browser asked for it. */
export async function microphone(call) {
  call.stream = await navigator.mediaDevices.getUserMedia({
    audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true },
  });
  if (!call.over) return;
  for (const track of call.stream.getTracks()) track.stop();
  throw new CallOver("hung up");
}
