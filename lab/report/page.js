// A click on a column's name sorts by it, and a second one turns the order round.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.firstChild.addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    const key = row => row.cells[column].textContent;
    const order = (a, b) => (parseFloat(key(a)) - parseFloat(key(b))) || key(a).localeCompare(key(b));
    const rows = [...body.rows].sort(order);
    heads.forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    body.append(...(down ? rows.reverse() : rows));
  }));
}
// A row is shown if it has every word.
for (const part of document.querySelectorAll("p.filter")) {
  const input = part.querySelector("input"), said = part.querySelector("output");
  const rows = [...document.getElementById(input.dataset.table).tBodies[0].rows];
  const texts = rows.map(row => [...row.cells].map(cell => cell.textContent.toLowerCase()).join(" "));
  const filter = () => {
    const words = input.value.toLowerCase().split(/\s+/);
    rows.forEach((row, n) => { row.hidden = !words.every(word => texts[n].includes(word)); });
    said.textContent = `${rows.filter(row => !row.hidden).length} of ${rows.length}`;
  };
  part.hidden = false;
  input.addEventListener("input", filter);
  filter();
}
for (const button of document.querySelectorAll("button.copy")) {
  const command = button.previousElementSibling;
  button.hidden = false;
  button.addEventListener("click", async () => {
    getSelection().selectAllChildren(command);
    const copied = await navigator.clipboard?.writeText(command.textContent).then(() => true, () => false);
    button.textContent = copied ? "Copied" : "Selected: copy it with your keyboard";
  });
}
// On paper the tables of each topic are open; what was closed is closed again afterwards.
const closed = document.querySelectorAll("details.topic:not([open])");
globalThis.addEventListener?.("beforeprint", () => closed.forEach(part => { part.open = true; }));
globalThis.addEventListener?.("afterprint", () => closed.forEach(part => { part.open = false; }));
