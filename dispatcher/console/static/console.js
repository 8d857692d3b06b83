// What pages do beyond htmx. Every page works without it.
"use strict";

// A button with data-copy copies the text of the element with that id, and says so.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const from = document.getElementById(button.dataset.copy);
  getSelection().selectAllChildren(from); // for whoever may not write to the clipboard
  let said = "Press Ctrl+C to copy";
  try {
    await navigator.clipboard.writeText(from.textContent);
    said = "Copied";
  } catch {
    if (document.execCommand("copy")) said = "Copied";
  }
  const status = document.getElementById(button.dataset.copy + "-status");
  if (status) status.textContent = said;
});

// A checkbox with data-all checks those of that name in its form.
document.addEventListener("change", (event) => {
  const name = event.target.dataset.all;
  if (!name) return;
  for (const box of event.target.form.querySelectorAll(`input[name="${name}"]`)) box.checked = event.target.checked;
});

// A page that nobody sees is told nothing: over HTTP/1.1 a browser has six connections to a server, and each stream holds one.
// It is loaded anew when it is looked at again.
const streams = new Set();
let closed = false;
htmx.createEventSource = (url) => {
  const stream = new EventSource(url, { withCredentials: true });
  streams.add(stream);
  return stream;
};
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && closed) location.reload();
  if (!document.hidden) return;
  for (const stream of streams) {
    closed ||= stream.readyState !== EventSource.CLOSED;
    stream.close();
  }
  streams.clear();
});
