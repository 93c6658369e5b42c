// What is shown of jobs: a page of one state, or one job with everything of it.

import { byId, clock, make, reconcile, setText } from "./dom.js";

const WHEN = {
  delayed: ["Due", "delay_until"],
  active: ["Started", "processed_on"],
  completed: ["Ended", "finished_on"],
  failed: ["Ended", "finished_on"],
};
const TEXTS = {
  failed_reason: "Failure",
  stacktrace: "Stack trace",
  data: "Data",
  options: "Options",
  progress: "Progress",
  returnvalue: "Result",
};

export function showJobs(queue, state, { jobs, next }, isFirst) {
  const [label, field] = WHEN[state] ?? ["Added", "timestamp"];
  setText(byId("list-title"), `Jobs: ${state}`);
  setText(byId("when"), label);
  const labels = ["", "", "Attempts", "Progress", label, ""];
  reconcile(byId("rows"), jobs, ({ id }) => id, createRow, (row, job) => {
    const cells = [...row.children];
    const link = cells[0].firstElementChild;
    link.href = `#/${queue}/job/${job.id}`;
    setText(link, job.id);
    const texts = [
      job.name,
      `${job.attempts_made}/${job.attempts}`,
      `${job.progress ?? ""}`,
      clock(job[field]),
      job.failed_reason ?? job.consumer ?? "",
    ];
    texts.forEach((text, index) => {
      setText(cells[index + 1], text);
      if (labels[index + 1]) {
        cells[index + 1].dataset.label = labels[index + 1];
      }
    });
  });
  byId("empty").hidden = jobs.length > 0;
  byId("first").disabled = isFirst;
  byId("next").disabled = next === null;
}

function createRow() {
  const row = make("tr");
  row.append(...Array.from({ length: 6 }, () => make("td")));
  row.firstElementChild.append(make("a"));
  return row;
}

export function showJob(job, log) {
  setText(byId("job-title"), `Job ${job.id}`);
  setText(byId("explanation"), job.explanation);
  const stall = job.last_stall;
  const fields = {
    Name: job.name,
    State: job.state,
    Priority: `${job.priority || "none"}`,
    Attempts: `${job.attempts_made} of ${job.attempts} ended, ${job.attempts_started} started`,
    Stalls: `${job.stalled_count}`,
    Added: clock(job.timestamp),
    Due: clock(job.delay_until),
    Started: clock(job.processed_on),
    Ended: clock(job.finished_on),
    Worker: job.consumer ?? "",
    Fence: job.fence ?? "",
    Scheduler: job.scheduler_id ?? "",
    "Last stall": stall ? `${clock(stall.at)}: ${stall.limit}, worker ${stall.consumer}` : "",
  };
  const told = Object.entries(fields).filter(([, text]) => text !== "");
  const pairs = told.flatMap(([name, text]) => [["dt", name, name], ["dd", `${name}:`, text]]);
  const create = ([tag]) => make(tag);
  reconcile(byId("fields"), pairs, ([, key]) => key, create, (node, [, , text]) =>
    setText(node, text),
  );
  const texts = Object.entries(TEXTS).filter(([name]) => job.texts[name].text !== "");
  reconcile(byId("texts"), texts, ([name]) => name, createText, (node, [name, title]) => {
    const { text, left_out } = job.texts[name];
    const [heading, body] = node.children;
    setText(heading, left_out ? `${title} (${left_out} more characters are not shown)` : title);
    setText(body, text);
    body.setAttribute("aria-label", title);
  });
  setText(byId("log"), log.lines.join("\n"));
  byId("earlier").disabled = log.next === null;
}

function createText() {
  const node = make("div");
  const body = make("pre");
  body.tabIndex = 0; // so that its end can be reached by keyboard
  node.append(make("h3"), body);
  return node;
}
