// Parts of a page that move: each asks the server for itself every second until it says that it is done, then the page
// loads once more. Without script the page refreshes itself.
for (const part of document.querySelectorAll("[data-live]")) {
  const look = async () => {
    let response;
    try {
      response = await fetch(part.dataset.live, { credentials: "same-origin", redirect: "error" });
    } catch {
      setTimeout(look, 5000); // the network is away: the part stays as it is, and we look again
      return;
    }
    if (!response.ok) return;
    const text = await response.text();
    if (response.headers.get("Live") === "done") {
      location.reload();
      return;
    }
    if (text !== part.innerHTML) {
      part.innerHTML = text;
      part.dispatchEvent(new CustomEvent("live", { bubbles: true }));
    }
    setTimeout(look, 1000);
  };
  setTimeout(look, 1000);
}
