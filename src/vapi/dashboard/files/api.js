// The JSON routes. Every function throws an Error with the API's own sentence.

async function ask(path, options) {
  const answer = await fetch(`/api/queue${path}`, options);
  const isJson = answer.headers.get("content-type")?.includes("json");
  const body = isJson ? await answer.json() : null;
  if (!answer.ok) {
    throw new Error(body?.detail ?? `The server answers ${answer.status}.`);
  }
  return body;
}

const path = (...parts) => parts.map((part) => `/${encodeURIComponent(part)}`).join("");

export const getQueues = () => ask("");
export const getQueue = (queue) => ask(path(queue));
export const getMetrics = (queue) => ask(path(queue, "metrics"));
export const getJob = (queue, id) => ask(path(queue, "jobs", id));

export function getJobs(queue, state, cursor) {
  const query = new URLSearchParams({ state, ...(cursor && { cursor }) });
  return ask(`${path(queue, "jobs")}?${query}`);
}

export const getLog = (queue, id, skip) => ask(`${path(queue, "jobs", id, "log")}?skip=${skip}`);

export const changeQueue = (queue, action) => ask(path(queue, action), { method: "POST" });

export const changeJob = (queue, id, action) =>
  ask(path(queue, "jobs", id, action), { method: "POST" });
