/** A camera of this computer: opened, its picture cut as a board sees it, and why there is none. */

const BOARD = [320, 240];  // the whole picture of a board's camera
const REASONS = {
  NotAllowedError: "camera_denied",
  SecurityError: "camera_denied",
  NotFoundError: "camera_none",
  OverconstrainedError: "camera_none",
  NotReadableError: "camera_busy",
  AbortError: "camera_busy",
};

/** Return the key of the text that says why a page has no camera at all, "" if it may have one. */
export function unavailable() {
  if (!window.isSecureContext) return "camera_insecure";
  return navigator.mediaDevices?.getUserMedia ? "" : "camera_none";
}

/** Return the key of the text for what `start` has thrown. */
export function reason(error) {
  return unavailable() || (REASONS[error?.name] ?? "camera_busy");
}

/** Show the camera `id` (by default one that looks away from a phone) in `video`. */
export async function start(video, id = "") {
  stop(video);
  if (unavailable()) throw new DOMException("", "");
  const which = id ? { deviceId: { exact: id } } : { facingMode: "environment" };
  const size = { width: { ideal: 640 }, height: { ideal: 480 } };
  video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { ...which, ...size } });
  video.muted = true;
  await video.play();
}

/** Let the camera go; its light goes out. */
export function stop(video) {
  for (const track of video.srcObject?.getTracks() ?? []) track.stop();
  video.srcObject = null;
}

/** Return {id, name} of each camera; names are known once one was opened. */
export async function cameras() {
  const all = await navigator.mediaDevices.enumerateDevices();
  return all.filter((one) => one.kind === "videoinput").map((one) => ({ id: one.deviceId, name: one.label }));
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
