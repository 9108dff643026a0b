const lines = [];
const source = new EventSource("/events?token=" + encodeURIComponent(window.LAB.token));
source.onmessage = (message) => {
  lines.push(message.data);
  document.getElementById("feed").textContent = lines.slice(-20).join("\n");
};
