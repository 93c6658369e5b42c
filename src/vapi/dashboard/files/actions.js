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
  dialog.showModal();
  // Not by the event "close": it comes later, and would answer a question asked meanwhile.
  return new Promise((resolve) => {
    const answer = (isYes) => {
      dialog.close();
      resolve(isYes);
    };
    byId("yes").onclick = () => answer(true);
    byId("no").onclick = () => answer(false);
    dialog.oncancel = () => resolve(false);
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
