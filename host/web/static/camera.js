/** A camera of this computer: opened, its picture cut as a board sees it, and why there is none. */

import { text } from "./texts.js";

const BOARD = [320, 240];  // the whole picture of a board's camera
const REASONS = {
  NotAllowedError: "camera_denied",
  SecurityError: "camera_denied",
  NotFoundError: "camera_none",
  OverconstrainedError: "camera_none",
  NotReadableError: "camera_busy",
  AbortError: "camera_busy",
};

let opening = Promise.resolve();

/** Return the key of the text that says why a page has no camera at all, "" if it may have one. */
function unavailable() {
  if (!window.isSecureContext) return "camera_insecure";
  return navigator.mediaDevices?.getUserMedia ? "" : "camera_none";
}

/** Return why there is no camera, by what `start` has thrown, and what to do about it. */
export function trouble(error) {
  const key = unavailable() || (REASONS[error.name] ?? "camera_failed");
  return text(key, { port: location.port || 80, reason: error.name });
}

/**
 * Show the camera `id` (by default one that looks away from a phone) in `video`, of about so many
 * pixels; call `gone` when it is pulled out. Who asks twice gets the later one.
 */
export function start(video, id, size, gone) {
  const opened = opening.then(() => open(video, id, size, gone));
  opening = opened.catch(() => {});
  return opened;
}

async function open(video, id, [width, height], gone) {
  stop(video);
  if (unavailable()) throw new DOMException("", "");
  const which = id ? { deviceId: { exact: id } } : { facingMode: "environment" };
  const size = { width: { ideal: width }, height: { ideal: height } };
  const stream = await navigator.mediaDevices.getUserMedia({ video: { ...which, ...size } });
  video.srcObject = stream;
  track(video).addEventListener("ended", () => { if (video.srcObject === stream) gone(); });
  video.muted = true;
  await video.play();
}

/** Let the camera go; its light goes out. */
export function stop(video) {
  for (const track of video.srcObject?.getTracks() ?? []) track.stop();
  video.srcObject = null;
}

/** Return the running camera of `video`, undefined if there is none. */
export function track(video) {
  return video.srcObject?.getVideoTracks()[0];
}

/** Offer all cameras in `select`, that of `video` chosen; names are known once one was opened. */
export async function offer(select, video) {
  const all = await navigator.mediaDevices.enumerateDevices();
  const mine = track(video)?.getSettings().deviceId;
  const options = all.filter((one) => one.kind === "videoinput").map((one, n) => new Option(
    one.label || text("camera_number", { n: n + 1 }), one.deviceId, false, one.deviceId === mine));
  select.replaceChildren(...options);
}

/**
 * Draw into `canvas` the part of the picture that a board with this window ([width, height] of its
 * 320x240) would see. What a webcam has beyond 4:3 the board's camera does not see.
 */
export function cut(video, size, canvas) {
  const scale = Math.min(video.videoWidth / BOARD[0], video.videoHeight / BOARD[1]);
  const [width, height] = size.map((side) => side * scale);
  const left = (video.videoWidth - width) / 2;
  const top = (video.videoHeight - height) / 2;
  canvas.getContext("2d").drawImage(video, left, top, width, height, 0, 0, canvas.width, canvas.height);
}

/** Return what a canvas shows as a JPEG. */
export function jpeg(canvas) {
  return new Promise((done) => { canvas.toBlob(done, "image/jpeg", 0.92); });
}
