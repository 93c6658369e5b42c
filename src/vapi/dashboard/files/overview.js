// What is shown of a queue as a whole: counts, limits, throughput, workers.

import { byId, duration, make, reconcile, setText } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 360;
const HEIGHT = 60;

export function showCounts(queue, counts, current) {
  reconcile(
    byId("states"),
    Object.entries(counts),
    ([state]) => state,
    () => make("a"),
    (link, [state, count]) => {
      link.href = `#/${queue}/${state}`;
      setText(link, `${state} ${count.toLocaleString()}`);
      if (state === current) {
        link.setAttribute("aria-current", "page");
      } else {
        link.removeAttribute("aria-current");
      }
    },
  );
}

export function showStanding({ is_paused, concurrency, rate_limit }) {
  const facts = [is_paused ? "Paused" : "Running"];
  if (concurrency) {
    facts.push(`at most ${concurrency} jobs at a time`);
  }
  if (rate_limit) {
    facts.push(`at most ${rate_limit.max} jobs in ${duration(rate_limit.duration)}`);
  }
  setText(byId("standing"), facts.join(", "));
}

export function showMetrics({ minutes, seconds }) {
  const { completed, failed, stalled } = minutes;
  const highest = Math.max(1, ...completed.map((count, age) => count + failed[age]));
  const bars = [];
  completed.forEach((count, age) => {
    const x = WIDTH - ((age + 1) * WIDTH) / completed.length;
    bars.push(bar("completed", x, 0, count / highest));
    bars.push(bar("failed", x, count / highest, failed[age] / highest));
  });
  byId("chart").replaceChildren(...bars);
  const sum = (counts) => counts.reduce((total, count) => total + count, 0).toLocaleString();
  const text =
    `${sum(completed)} completed, ${sum(failed)} failed, ${sum(stalled)} stalled; ` +
    `in the last full minute ${completed[1]} completed, ${failed[1]} failed.`;
  setText(byId("throughput"), text);
  byId("chart").setAttribute("aria-label", text);
  const tell = ({ p50, p99 }) => `${duration(p50)} (99 %: ${duration(p99)})`;
  setText(byId("latency"), `Waited ${tell(seconds.waiting)}, ran ${tell(seconds.running)}.`);
}

function bar(kind, x, from, share) {
  const rect = document.createElementNS(SVG, "rect");
  const shape = { class: kind, x, width: 5, y: HEIGHT * (1 - from - share), height: HEIGHT * share };
  Object.entries(shape).forEach(([name, value]) => rect.setAttribute(name, value));
  return rect;
}

export function showWorkers(queue, workers) {
  reconcile(byId("workers"), workers, ({ consumer }) => consumer, createWorker, (item, worker) => {
    const [about, jobs] = item.children;
    const facts = [
      `${worker.consumer} on ${worker.host}, process ${worker.pid}`,
      `${worker.active} of ${worker.concurrency} jobs`,
      `heard ${duration(worker.silent_for)} ago`,
    ];
    if (worker.is_paused) {
      facts.push("paused");
    }
    if (worker.loop_lag >= 1) {
      facts.push(`its loop is ${duration(worker.loop_lag)} late`);
    }
    setText(about, facts.join(" · "));
    reconcile(jobs, worker.running, ({ id }) => id, createRunning, (entry, { id, runs_for }) => {
      const [link, time] = entry.children;
      link.href = `#/${queue}/job/${id}`;
      setText(link, id);
      setText(time, ` for ${duration(runs_for)}`);
    });
  });
  if (workers.length === 0) {
    byId("workers").replaceChildren(make("li", "No worker was heard of in the last 45 s."));
  }
}

function createWorker() {
  const item = make("li");
  item.append(make("span"), make("ul"));
  return item;
}

function createRunning() {
  const entry = make("li");
  entry.append(make("a"), make("span"));
  return entry;
}
