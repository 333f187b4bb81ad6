/** The events of a job, from the first one on, over lost connections and restarts of the host. */

/**
 * Call on.progress(event), on.state(state), on.end(state) and on.lost(isLost).
 * The browser itself reconnects with Last-Event-ID; when the host refuses (all streams are
 * taken, or it restarts behind a proxy) we ask again with `after`.
 */
export function follow(url, on) {
  let last = 0;
  const open = () => {
    const source = new EventSource(`${url}?after=${last}`);
    source.addEventListener("open", () => on.lost?.(false));
    source.addEventListener("progress", (message) => {
      last = Number(message.lastEventId);
      on.progress?.(JSON.parse(message.data));
    });
    source.addEventListener("state", (message) => on.state?.(JSON.parse(message.data)));
    source.addEventListener("end", (message) => {
      source.close();
      on.end?.(JSON.parse(message.data));
    });
    source.addEventListener("error", () => {
      on.lost?.(true);
      if (source.readyState === EventSource.CLOSED) setTimeout(open, 5000);
    });
  };
  open();
}
