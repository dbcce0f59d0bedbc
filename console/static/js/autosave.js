// A form that saves by itself: a second after the last key, on leaving a field, and at once for choices. What the server says is shown
// beside each field; fields that others changed are brought up to date. Without script the form has its button.
const form = document.querySelector("[data-autosave]");
const state = document.getElementById("saved");
const beside = document.getElementById("beside");
const trouble = document.getElementById("trouble");
const icons = document.querySelector("use").getAttribute("href").replace(/#.*/, "");
let timer = null;
let dirty = false;
let saving = false;
let stopped = false;

for (const hint of form.querySelectorAll("[data-without-script]")) hint.hidden = true;

const say = (tone, symbol, text) => {
  const word = document.createElement("span");
  word.className = `ih-status ih-${tone}`;
  word.innerHTML = `<svg class="ih-icon" aria-hidden="true"><use href="${icons}#${symbol}"/></svg>`;
  word.append(text);
  state.replaceChildren(word);
};

const sayBeside = (key, tone, symbol, text) => {
  const place = document.getElementById(`${key}-said`);
  if (!place) return;
  place.hidden = !text;
  place.className = tone === "warn" ? "ih-caution" : "ih-error";
  place.innerHTML = `<svg class="ih-icon" aria-hidden="true"><use href="${icons}#${symbol}"/></svg><span></span>`;
  place.lastChild.textContent = text;
  const control = form.elements[key];
  if (control && control.setAttribute) {
    if (text && tone === "bad") control.setAttribute("aria-invalid", "true");
    else control.removeAttribute("aria-invalid");
  }
};

const look = async () => {
  let answer;
  try {
    answer = await fetch(beside.dataset.address, { credentials: "same-origin", redirect: "error" });
  } catch {
    return; // what stands there stays until the next save
  }
  if (answer.ok) {
    beside.innerHTML = await answer.text();
    beside.dispatchEvent(new CustomEvent("live", { bubbles: true }));
  }
};

const show = (answer) => {
  form.elements.seen.value = answer.seen;
  for (const [key, value] of Object.entries(answer.values)) {
    const control = form.elements[key];
    if (!control) continue;
    if (control.type === "checkbox") control.checked = value;
    else control.value = value;
  }
  const keys = new Set([...form.querySelectorAll("[id$='-said']")].map((place) => place.id.slice(0, -5)));
  for (const key of keys) {
    const error = answer.errors[key];
    const advice = answer.advice[key];
    if (error) sayBeside(key, "bad", "bad", error);
    else if (advice) sayBeside(key, advice.tone, advice.tone, advice.message);
    else sayBeside(key, "bad", "bad", "");
  }
};

const save = async () => {
  clearTimeout(timer);
  timer = null;
  if (!dirty || saving || stopped) return;
  saving = true;
  dirty = false;
  say("info", "run", state.dataset.saving);
  const sent = new FormData(form);
  let answer;
  try {
    // Its buttons are named `action`, so that `form.action` is one of them.
    const response = await fetch(form.getAttribute("action"), {
      method: "POST",
      body: sent,
      headers: { Accept: "application/json" },
      credentials: "same-origin",
      redirect: "error",
    });
    answer = await response.json();
    if (!response.ok) throw new Error(answer.error);
  } catch {
    saving = false;
    dirty = true;
    say("bad", "bad", state.dataset.failed);
    timer = setTimeout(save, 5000);
    return;
  }
  saving = false;
  if (answer.conflicts) {
    // Nothing more is saved by itself: the button above sends everything, and the answer shows both texts.
    stopped = true;
    dirty = true;
    trouble.hidden = false;
    say("bad", "bad", state.dataset.waiting);
    return;
  }
  // What was typed while the answer was on its way is kept, and saved next.
  const typed = new Set([...new FormData(form)].filter(([key, value]) => sent.get(key) !== value).map(([key]) => key));
  for (const key of typed) delete answer.values[key];
  show(answer);
  if (Object.keys(answer.errors).length) say("bad", "bad", state.dataset.waiting);
  else say("ok", "ok", answer.saved);
  if (answer.reload && !dirty) {
    location.reload();
    return;
  }
  look();
  if (dirty) timer = setTimeout(save, 1000);
};

form.addEventListener("input", (event) => {
  if (event.target.matches("[data-not-saved]")) return;
  dirty = true;
  if (!saving) say("idle", "draft", state.dataset.waiting);
  clearTimeout(timer);
  const atOnce = event.target.matches("select, [type=checkbox], [type=date]");
  timer = setTimeout(save, atOnce ? 0 : 1000);
});
form.addEventListener("focusout", () => { if (dirty && !stopped) save(); });
form.addEventListener("submit", () => {
  stopped = true;
  dirty = false;
});
window.addEventListener("beforeunload", (event) => { if (dirty || saving) event.preventDefault(); });
document.addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden") save(); });
// Addresses that name a field open what it stands in.
const open = () => {
  const place = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let part = place; part; part = part.parentElement) if (part.matches("details")) part.open = true;
  if (place) place.focus();
};
window.addEventListener("hashchange", open);
open();
look();
