// Follows the system until a choice is made; the server remembers it and renders it. Loaded in <head> without defer: the first paint has the right theme.
(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  let chosen = "themeChosen" in root.dataset ? root.dataset.bsTheme : null;
  const apply = () => { root.dataset.bsTheme = chosen ?? (system.matches ? "dark" : "light"); };
  system.addEventListener("change", apply);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-theme-switch]");
    if (!button) return;
    event.preventDefault();
    chosen = root.dataset.bsTheme === "dark" ? "light" : "dark";
    apply();
    const choice = new FormData(button.form);
    choice.set("theme", chosen);
    fetch(button.form.action, { method: "POST", body: choice, redirect: "manual", credentials: "same-origin" });
  });
  apply();
})();
