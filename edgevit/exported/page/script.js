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
