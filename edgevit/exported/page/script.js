// A field over each listing that leaves the lines with those words. Without scripts the page lacks nothing else.
for (const listing of document.querySelectorAll(".listing")) {
  const lines = listing.textContent.split("\n");
  const field = document.createElement("input");
  field.type = "search";
  field.className = "filter";
  field.placeholder = "show only lines with ...";
  field.setAttribute("aria-label", "filter: " + listing.getAttribute("aria-label"));
  field.addEventListener("input", () => {
    const wanted = field.value.toLowerCase();
    listing.textContent = lines.filter((line) => line.toLowerCase().includes(wanted)).join("\n");
  });
  listing.before(field);
}
// Drawings with titles tell them below too: where the pointer rests, at a tap, and by the arrows.
for (const drawing of document.querySelectorAll(".told")) {
  const boxes = [...drawing.querySelectorAll("rect")].filter((box) => box.querySelector("title"));
  const words = document.createElement("p");
  words.className = "note";
  words.setAttribute("aria-live", "polite");
  words.textContent = "\u00a0";
  drawing.after(words);
  let current = -1;
  const tell = (box) => {
    if (boxes[current]) boxes[current].classList.remove("chosen");
    current = boxes.indexOf(box);
    if (current < 0) return;
    box.classList.add("chosen");
    words.textContent = box.querySelector("title").textContent;
  };
  for (const kind of ["pointerover", "click"]) drawing.addEventListener(kind, (event) => { if (boxes.includes(event.target)) tell(event.target); });
  drawing.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step || !boxes.length) return;
    tell(boxes[(current + step + boxes.length) % boxes.length]);
    event.preventDefault();
  });
}
