// Buttons that change something, each with a question first.

import { changeJob } from "./api.js";
import { byId, make, reconcile, setText } from "./dom.js";

const FINAL = new Set(["completed", "failed"]);
const JOB_ACTIONS = {
  retry: (state) => FINAL.has(state),
  promote: (state) => state === "delayed",
  cancel: (state) => !FINAL.has(state),
  remove: (state) => state !== "active",
};

/** Ask; resolves with whether the answer was yes. Escape is a no. */
export function confirmed(question) {
  const dialog = byId("confirm");
  byId("question").textContent = question;
  dialog.returnValue = "no";
  dialog.showModal();
  byId("yes").onclick = () => dialog.close("yes");
  byId("no").onclick = () => dialog.close("no");
  return new Promise((resolve) => {
    dialog.onclose = () => resolve(dialog.returnValue === "yes");
  });
}

/**
 * Offer what can be done to a job in its state. `carryOut` gets the question, a function that
 * does it, and whether the job is gone then.
 */
export function offerActions(queue, job, carryOut) {
  const names = Object.keys(JOB_ACTIONS).filter((name) => JOB_ACTIONS[name](job.state));
  const create = () => make("button");
  reconcile(byId("actions"), names, (name) => `${name} ${job.id}`, create, (button, name) => {
    const label = name[0].toUpperCase() + name.slice(1);
    const act = () => changeJob(queue, job.id, name);
    button.type = "button";
    setText(button, label);
    button.onclick = () => carryOut(`${label} job ${job.id}?`, act, name === "remove");
  });
}
