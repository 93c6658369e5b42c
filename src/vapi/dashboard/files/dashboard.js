// The dashboard: what the address names, asked for every two seconds.
//
// #/<queue>/<state> is a list, #/<queue>/job/<id> one job.

import { confirmed, offerActions } from "./actions.js";
import { changeQueue, getJob, getJobs, getLog, getMetrics, getQueue, getQueues } from "./api.js";
import { byId, setText } from "./dom.js";
import { showJob, showJobs } from "./jobs.js";
import { showCounts, showMetrics, showStanding, showWorkers } from "./overview.js";

const INTERVAL_MS = 2000;
const METRICS_INTERVAL_MS = 10_000;
const LOG_PAGE = 100;

let known = { queues: [], are_actions_on: false };
let view = {};
let turn = 0;
let timer;

function readAddress() {
  const [, queue, state, id] = location.hash.split("/");
  return {
    queue: queue || known.queues[0],
    state: state === "job" ? null : state || "active",
    id: state === "job" ? id : null,
    cursor: null,
    next: null,
    skip: 0,
    metricsAt: -Infinity,
  };
}

function tell(problem) {
  setText(byId("problem"), problem);
  byId("problem").hidden = problem === "";
}

async function showMain() {
  const { queue, state, id, cursor, skip } = view;
  if (id) {
    const [job, log] = await Promise.all([getJob(queue, id), getLog(queue, id, skip)]);
    return () => {
      showJob(job, log);
      byId("newest").disabled = skip === 0;
      if (known.are_actions_on) {
        offerActions(queue, job, carryOut);
      }
    };
  }
  const page = await getJobs(queue, state, cursor);
  return () => {
    view.next = page.next;
    showJobs(queue, state, page, cursor === null);
  };
}

function showQueue(told) {
  showCounts(view.queue, told.counts, view.state);
  showStanding(told);
  showWorkers(view.queue, told.workers);
  const action = told.is_paused ? "resume" : "pause";
  const button = byId("switch");
  button.hidden = !known.are_actions_on;
  setText(button, told.is_paused ? "Resume" : "Pause");
  button.onclick = () =>
    carryOut(`${button.textContent} queue ${view.queue}?`, () => changeQueue(view.queue, action));
}

/** Ask for everything and show it, unless another turn has begun meanwhile. */
async function refresh() {
  const mine = ++turn;
  clearTimeout(timer);
  const wantsMetrics = performance.now() - view.metricsAt >= METRICS_INTERVAL_MS;
  const asked = [getQueue(view.queue).then((told) => () => showQueue(told)), showMain()];
  if (wantsMetrics) {
    asked.push(getMetrics(view.queue).then((told) => () => showMetrics(told)));
  }
  const answers = await Promise.allSettled(asked);
  if (mine !== turn) {
    return;
  }
  answers.filter(({ value }) => value).forEach(({ value: show }) => show());
  tell(answers.find(({ reason }) => reason)?.reason.message ?? "");
  if (wantsMetrics) {
    view.metricsAt = performance.now();
  }
  timer = setTimeout(refresh, document.hidden ? 10 * INTERVAL_MS : INTERVAL_MS);
}

/** Do something after a question; when what is shown is gone then, go back to a list. */
async function carryOut(question, change, isGone = false) {
  if (!(await confirmed(question))) {
    return;
  }
  try {
    setText(byId("message"), (await change()).done);
    if (isGone) {
      location.hash = `#/${view.queue}/active`;
    } else {
      await refresh();
    }
  } catch (error) {
    setText(byId("message"), error.message);
  }
}

function open() {
  view = readAddress();
  document.title = `Queue ${view.queue}`;
  setText(byId("queue-name"), view.queue);
  byId("queue").value = view.queue;
  byId("list").hidden = view.id !== null;
  byId("job").hidden = view.id === null;
  // what belongs to another queue or job must not be seen under this name
  for (const id of ["rows", "fields", "texts", "actions", "log", "explanation"]) {
    byId(id).replaceChildren();
  }
  setText(byId("job-title"), view.id ? `Job ${view.id}` : "");
  return refresh();
}

/** Change the part of the view that is paged, and show it. */
function turnTo(changes) {
  Object.assign(view, changes);
  return refresh();
}

async function start() {
  try {
    known = await getQueues();
  } catch (error) {
    tell(error.message);
    return;
  }
  byId("queue").replaceChildren(...known.queues.map((name) => new Option(name, name)));
  byId("queue").parentElement.hidden = known.queues.length < 2;
  byId("queue").addEventListener("change", ({ target }) => {
    location.hash = `#/${target.value}/active`;
  });
  byId("first").addEventListener("click", () => turnTo({ cursor: null }));
  byId("next").addEventListener("click", () => turnTo({ cursor: view.next }));
  byId("earlier").addEventListener("click", () => turnTo({ skip: view.skip + LOG_PAGE }));
  byId("newest").addEventListener("click", () => turnTo({ skip: 0 }));
  addEventListener("hashchange", () => {
    open();
    byId(view.id ? "job-title" : "list-title").focus();
  });
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
  await open();
}

start();
