// Starts the page: reads what is deployed and hands each section its URLs.

import { byId, problemBox, wait } from "./elements.js";
import { clearLog, send } from "./http.js";
import { startAlarms } from "./alarms.js";
import { startImages } from "./images.js";
import { startItems } from "./items.js";
import { startWebtier } from "./webtier.js";

const AGAIN = 3000; // milliseconds

/** The same address by the other name of this machine: another origin, so CORS holds as in AWS. */
function otherOrigin(url) {
  const address = new URL(url);
  address.hostname = location.hostname === "localhost" ? "127.0.0.1" : "localhost";
  return address.href;
}

async function start() {
  byId("clear-log").addEventListener("click", clearLog);
  let deployed = null;
  while (deployed === null) {
    const answer = await send({ url: "status.json", label: "What is deployed" }, { poll: true, command: "python -m sandbox status --json" });
    if (answer.ok && answer.document.apis.image_api && answer.document.apis.crud_api) deployed = answer.document;
    else {
      byId("endpoint").textContent = answer.ok ? "The APIs are not deployed yet. Looking again …" : "The sandbox does not answer. Trying again …";
      await wait(AGAIN);
    }
  }
  const { workload, monitoring } = deployed.accounts;
  byId("endpoint").textContent = `${deployed.endpoint} · workload ${workload} · monitoring ${monitoring}`;
  startWebtier(deployed);
  const sections = [
    ["images", startImages(otherOrigin(deployed.apis.image_api))],
    ["items", startItems(otherOrigin(deployed.apis.crud_api))],
    ["alarms", startAlarms(otherOrigin(deployed.apis.image_api), otherOrigin(deployed.apis.crud_api))],
  ];
  for (const [id, started] of sections) {
    started.catch((error) => byId(id).append(problemBox({ title: "This section stopped", detail: error.message })));
  }
}

start();
