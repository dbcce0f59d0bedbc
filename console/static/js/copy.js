// Buttons that copy their value. They are hidden where there is no script, since they would do nothing.
const reveal = (scope) => { for (const button of scope.querySelectorAll("[data-copy]")) button.hidden = false; };
reveal(document);
document.addEventListener("live", (event) => reveal(event.target));
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  const use = button.querySelector("use");
  const before = use.getAttribute("href");
  use.setAttribute("href", before.replace(/#.*/, "#ok"));
  setTimeout(() => use.setAttribute("href", before), 1500);
});
