// Alarms, how their states changed, and faults to watch them by.

import { announce, byId, clock, commandBox, element, problemBox, wait } from "./elements.js";
import { send } from "./http.js";
import { smallPicture } from "./sample.js";

const POLL = 2000; // milliseconds: a period of an alarm here
const TRAFFIC_PAUSE = 600; // milliseconds
const SHOWN_SECONDS = 180;
const SHOWN_CHANGES = 12;
const KINDS = { OK: "good", ALARM: "bad", INSUFFICIENT_DATA: "wait" };

const faultCards = new Map();
const serviceTiles = new Map();
const alarming = new Set();
let announced = false;

export async function startAlarms(imageApi, crudApi) {
  const traffic = { image_api: () => upload(imageApi), crud_api: () => look(crudApi) };
  byId("alarms-command").replaceChildren(
    commandBox("Alarms that have gone off", "aws cloudwatch describe-alarms --profile monitoring --state-value ALARM --alarm-types MetricAlarm CompositeAlarm"),
    commandBox("How states changed", "aws cloudwatch describe-alarm-history --profile monitoring --history-item-type StateUpdate"));
  for (;;) {
    if (document.visibilityState === "visible") await watch(traffic);
    await wait(POLL);
  }
}

async function watch(traffic) {
  const answer = await send({ url: "watch.json", label: "Alarms and functions" }, { poll: true, command: "aws cloudwatch describe-alarms --profile monitoring" });
  if (!answer.ok) {
    byId("alarm-summary").textContent = "The sandbox does not answer.";
    return;
  }
  const { alarms, changes, faults } = answer.document;
  for (const state of faults) showFault(state, traffic[state.fault.part]);
  showServices(alarms);
  showLanes(alarms, changes);
  showChanges(changes);
}

// Faults

function showFault(state, once) {
  const { function: name } = state.fault;
  if (!faultCards.has(name)) {
    const card = new FaultCard(state, once);
    faultCards.set(name, card);
    byId("faults").append(card.root);
  }
  faultCards.get(name).show(state);
}

class FaultCard {
  constructor(state, once) {
    const { fault } = state;
    this.once = once;
    this.sent = { good: 0, bad: 0 };
    this.sending = false;
    this.badge = element("span", { className: "badge" });
    this.button = element("button", { type: "button" });
    this.button.addEventListener("click", () => this.switch());
    this.redrive = element("button", { type: "button", className: "quiet", hidden: true }, "Process failed events again");
    this.redrive.addEventListener("click", () => this.again());
    this.traffic = element("input", { type: "checkbox", checked: true });
    this.facts = element("ul", { className: "facts" });
    this.command = element("div");
    this.root = element("article", { className: "panel", aria: { label: fault.function } },
      element("div", { className: "bar" }, element("h3", {}, fault.function), this.badge),
      element("p", {}, fault.consequence),
      element("label", { className: "check" }, this.traffic, " Send requests while it is broken"),
      element("div", { className: "actions" }, this.button, this.redrive),
      this.facts, this.command);
  }

  show(state) {
    this.state = state;
    const { broken, reserved, waiting, fault, command } = state;
    this.badge.className = `badge ${broken ? "bad" : "good"}`;
    this.badge.textContent = broken ? "broken" : "works";
    this.button.textContent = `${broken ? "Repair" : "Break"} ${fault.function}`;
    this.redrive.hidden = broken || !waiting;
    this.button.className = broken ? "" : "danger";
    const facts = [["Concurrency", reserved === null ? "no limit of its own" : `capped at ${reserved} by an action of the monitoring account`]];
    if (waiting !== null) facts.push(["Failed events that wait", String(waiting)]);
    if (this.sent.good + this.sent.bad) facts.push(["Requests sent", `${this.sent.good + this.sent.bad}, ${this.sent.bad} answered with an error`]);
    this.facts.replaceChildren(...facts.map(([label, text]) => element("li", {}, element("span", { className: "muted" }, `${label}: `), text)));
    if (this.shown !== command) {
      this.command.replaceChildren(
        commandBox(`${broken ? "Repair" : "Break"} ${fault.function}`, command),
        ...(waiting === null ? [] : [commandBox("Process failed events again", `python -m deploy ${fault.part} --stage local --redrive`)]));
      this.shown = command;
    }
    this.send();
  }

  async switch() {
    const broken = !this.state.broken;
    const label = broken ? "Break a function" : "Repair a function";
    if (!await this.ask("faults", { broken }, label, this.state.command)) return;
    if (broken) this.sent = { good: 0, bad: 0 };
    this.button.focus();
    announce(`${this.state.fault.function} is ${broken ? "broken. Watch the alarms" : "repaired"}.`);
  }

  async again() {
    const command = `python -m deploy ${this.state.fault.part} --stage local --redrive`;
    if (!await this.ask("redrive", {}, "Process failed events again", command)) return;
    this.button.focus();
    announce("The failed events are on their way again.");
  }

  /** Asks the console for a change of this function and shows its new state; whether that was done. */
  async ask(url, wish, label, command) {
    this.button.disabled = this.redrive.disabled = true;
    const answer = await send({
      method: "POST", url, label,
      headers: { "Content-Type": "application/json", "X-Sandbox-Console": "1" },
      body: JSON.stringify({ function: this.state.fault.function, ...wish }),
    }, { command });
    this.button.disabled = this.redrive.disabled = false;
    if (answer.ok) {
      this.show(answer.document);
      return true;
    }
    this.command.replaceChildren(problemBox(answer.document));
    this.shown = null;
    return false;
  }

  async send() {
    if (this.sending) return;
    this.sending = true;
    while (this.state.broken && this.traffic.checked) {
      const answer = await this.once();
      this.sent[answer.ok ? "good" : "bad"] += 1;
      await wait(TRAFFIC_PAUSE);
    }
    this.sending = false;
  }
}

async function upload(api) {
  const request = { method: "POST", url: `${api}/images`, headers: { "Content-Type": "image/jpeg" }, file: "small.jpg", label: "Upload a small picture" };
  return send(request, { payload: await smallPicture(), poll: true });
}

const look = (api) => send({ url: `${api}/items?limit=1`, label: "List one item" }, { poll: true });

// States

function showServices(alarms) {
  const services = Map.groupBy(alarms, serviceOf);
  const ringing = alarms.filter((alarm) => alarm.state === "ALARM");
  for (const [service, members] of [...services].sort()) {
    if (!serviceTiles.has(service)) {
      const tile = { badge: element("span", { className: "badge" }), list: element("ul"), count: element("span", { className: "muted" }) };
      tile.root = element("details", { className: "service" },
        element("summary", {}, element("span", { className: "grow" }, element("strong", {}, service), " ", tile.count), tile.badge), tile.list);
      serviceTiles.set(service, tile);
      byId("services").append(tile.root);
    }
    showService(serviceTiles.get(service), members);
  }
  for (const [service, tile] of serviceTiles) {
    if (services.has(service)) continue;
    tile.root.remove();
    serviceTiles.delete(service);
  }
  byId("alarm-summary").textContent = `${alarms.length} alarms, ${ringing.length} in ALARM`;
  byId("alarm-count").hidden = ringing.length === 0;
  byId("alarm-count").replaceChildren(String(ringing.length), element("span", { className: "unseen" }, " in ALARM"));
  tell(ringing);
}

function showService(tile, members) {
  const order = ["ALARM", "INSUFFICIENT_DATA", "OK"];
  const sorted = [...members].sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state) || a.name.localeCompare(b.name));
  const shown = JSON.stringify(sorted);
  if (tile.shown === shown) return;
  tile.shown = shown;
  const ringing = members.filter((alarm) => alarm.state === "ALARM").length;
  tile.badge.className = `badge ${KINDS[sorted[0].state]}`;
  tile.badge.textContent = ringing ? `${ringing} in ALARM` : sorted[0].state === "OK" ? "OK" : "no data yet";
  tile.count.textContent = members.length === 1 ? "1 alarm" : `${members.length} alarms`;
  tile.list.replaceChildren(...sorted.map((alarm) => element("li", {},
    element("span", { className: `badge ${KINDS[alarm.state]}` }, alarm.state === "INSUFFICIENT_DATA" ? "no data" : alarm.state),
    element("span", { className: "grow" }, element("span", {}, shortName(alarm.name)), element("span", { className: "muted reason" }, alarm.reason)))));
}

function tell(ringing) {
  const names = new Set(ringing.map((alarm) => alarm.name));
  const begun = [...names].filter((name) => !alarming.has(name));
  const over = [...alarming].filter((name) => !names.has(name));
  alarming.clear();
  for (const name of names) alarming.add(name);
  if (announced && begun.length) announce(`In ALARM: ${begun.map(shortName).join(", ")}.`);
  else if (announced && over.length) announce(`OK again: ${over.map(shortName).join(", ")}.`);
  announced = true;
}

const isPath = (name) => name.split("/").length > 2;
// The workload account's own alarms begin with the name of their stack.
const serviceOf = (alarm) => (isPath(alarm.name) ? alarm.name.split("/")[1] : alarm.name.split("-local")[0].replaceAll("-", "_"));
const shortName = (name) => (isPath(name) ? name.split("/").slice(1).join("/") : name);

// History

// An alarm that has just been made finds its first data: that says nothing.
const isNews = (change) => change.old === "ALARM" || change.new === "ALARM";

function showChanges(changes) {
  const shown = changes.filter(isNews).slice(0, SHOWN_CHANGES);
  byId("changes-empty").hidden = shown.length > 0;
  const known = JSON.stringify(shown);
  if (byId("changes").dataset.shown === known) return;
  byId("changes").dataset.shown = known;
  byId("changes").replaceChildren(...shown.map((change) => element("li", {},
    element("time", { dateTime: new Date(change.time * 1000).toISOString() }, clock(change.time)),
    element("span", { className: `badge ${KINDS[change.new]}` }, change.new === "INSUFFICIENT_DATA" ? "no data" : change.new),
    element("span", { className: "grow" }, element("span", {}, shortName(change.alarm)), element("span", { className: "muted reason" }, change.reason)))));
}

function showLanes(alarms, changes) {
  const end = Date.now() / 1000;
  const start = end - SHOWN_SECONDS;
  const states = new Map(alarms.map((alarm) => [alarm.name, alarm]));
  const byAlarm = Map.groupBy(changes.filter((change) => change.time > start && states.has(change.alarm)), (change) => change.alarm);
  const named = [...byAlarm.keys()].filter((name) => byAlarm.get(name).some(isNews));
  const lanes = named.sort((a, b) => Number(states.get(b).kind === "composite") - Number(states.get(a).kind === "composite") || a.localeCompare(b));
  // Something to see before anything has happened: the composite alarms, which sum the others up.
  const shown = lanes.length ? lanes : alarms.filter((alarm) => alarm.kind === "composite" && alarm.name.endsWith("/critical")).map((alarm) => alarm.name);
  byId("lanes").replaceChildren(...shown.map((name) => lane(states.get(name), byAlarm.get(name) ?? [], start, end)));
}

function lane(alarm, changes, start, end) {
  const ordered = [...changes].sort((a, b) => a.time - b.time);
  const points = [{ time: start, state: ordered[0]?.old ?? alarm.state }, ...ordered.map((change) => ({ time: change.time, state: change.new }))];
  const strip = svg("svg", { viewBox: `0 0 ${SHOWN_SECONDS} 1`, preserveAspectRatio: "none", role: "img", "aria-label": words(points) });
  points.forEach((point, index) => {
    const until = points[index + 1]?.time ?? end;
    strip.append(svg("rect", { x: point.time - start, y: 0, width: Math.max(until - point.time, 0.4), height: 1, class: `state-${KINDS[point.state]}` }));
  });
  return element("div", { className: "lane" },
    element("span", { className: "lane-name" }, shortName(alarm.name), alarm.kind === "composite" ? element("span", { className: "muted" }, " sums up") : null),
    strip,
    element("span", { className: `badge ${KINDS[alarm.state]}` }, alarm.state === "INSUFFICIENT_DATA" ? "no data" : alarm.state));
}

const words = (points) => points.map((point, index) => (index === 0 ? point.state : `${point.state} from ${clock(point.time)}`)).join(", ");

function svg(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
