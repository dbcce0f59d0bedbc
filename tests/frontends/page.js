// The page of a requestor: asks its backend for a session, shows it with the client that the address names, and shows the result.
import { YiviClient } from "@privacybydesign/yivi-client";
import { YiviCore } from "@privacybydesign/yivi-core";
import YiviWeb from "@privacybydesign/yivi-web";
import jsQR from "jsqr";

const parameters = new URLSearchParams(location.search);

// yivi-web names each state that it shows in a comment: they are noted one after the other.
const element = document.querySelector("#yivi-web-form");
new MutationObserver(() => {
  const state = /State: (\w+)/.exec(element.innerHTML)?.[1];
  const states = document.querySelector("#states");
  if (state && !states.textContent.endsWith(state)) states.append(` ${state}`);
}).observe(element, { childList: true, subtree: true });

const options = {
  element: "#yivi-web-form",
  language: "en",
  session: {
    start: { url: () => `/session/${parameters.get("session")}`, method: "POST" },
    result: { url: (_options, { sessionToken }) => `/result/${sessionToken}` },
  },
};
if (parameters.get("events") === "off") options.state = { serverSentEvents: false };
// A page of frontend protocol 1.0 asks for the status without a secret, so that the browser's own EventSource does.
if (parameters.has("old")) options.session.mapping = { frontendRequest: () => undefined };

let flow;
if (parameters.get("client") === "bundle") {
  flow = window.yivi.newWeb(options);
} else {
  flow = new YiviCore(options);
  flow.use(YiviClient);
  flow.use(YiviWeb);
}
flow.start().then(
  (result) => (document.querySelector("#result").textContent = JSON.stringify(result)),
  (error) => (document.querySelector("#error").textContent = String(error)),
);

/** What the QR on the page holds, or null where there is none. */
window.readQr = () => {
  const canvas = document.querySelector("canvas.yivi-web-qr-canvas");
  if (!canvas) return null;
  const image = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return jsQR(image.data, image.width, image.height)?.data ?? null;
};
