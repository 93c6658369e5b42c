// Runs one scenario (JSON on stdin, see scenarios.py) on BullMQ; prints the outcome as JSON.
"use strict";

const { DelayedError, FlowProducer, Queue, UnrecoverableError, Worker } = require("bullmq");
const IORedis = require("ioredis");

const NAMES = {
  remove_on_complete: "removeOnComplete",
  fail_parent_on_failure: "failParentOnFailure",
  ignore_dependency_on_failure: "ignoreDependencyOnFailure",
  continue_parent_on_failure: "continueParentOnFailure",
  remove_dependency_on_failure: "removeDependencyOnFailure",
};
const PARKED_MS = 20;
const LIMITER = { max: 1000, duration: 1000 };
const BUSY = ["waiting", "prioritized", "delayed", "active", "waiting-children"];

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function optionsOf(options = {}) {
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => [NAMES[name] ?? name, value]),
  );
}

class Side {
  constructor(name, url) {
    this.name = name;
    this.connection = new IORedis(url, { maxRetriesPerRequest: null });
    this.queue = new Queue(name, { connection: this.connection });
    this.order = [];
    this.ids = new Set();
  }

  async add(id, options) {
    this.ids.add(id);
    await this.queue.add("task", id, { jobId: id, ...optionsOf(options) });
  }

  async flow(tree) {
    const nodeOf = ({ id, options, children = [] }) => {
      this.ids.add(id);
      return {
        name: "task",
        queueName: this.name,
        data: id,
        opts: { jobId: id, ...optionsOf(options) },
        children: children.map(nodeOf),
      };
    };
    const flows = new FlowProducer({ connection: this.connection });
    await flows.add(nodeOf(tree));
    await flows.close();
  }

  async work(plan) {
    const left = structuredClone(plan);
    const handle = async (job, token) => {
      this.order.push(job.id);
      const does = left[job.id]?.shift() ?? "ok";
      if (does === "fail") throw new Error("boom");
      if (does === "unrecoverable") throw new UnrecoverableError("never");
      if (does === "delayed") {
        await job.moveToDelayed(Date.now() + PARKED_MS, token);
        throw new DelayedError();
      }
      if (does === "rate") {
        await worker.rateLimit(PARKED_MS);
        throw Worker.RateLimitError();
      }
      if (does === "progress") {
        await job.updateProgress(50);
        await job.log("a line");
      }
      return job.data;
    };
    const worker = new Worker(this.name, handle, {
      connection: this.connection,
      limiter: LIMITER,
      drainDelay: 1,
    });
    const busy = async () => {
      const counts = await this.queue.getJobCounts(...BUSY);
      return Object.values(counts).some((count) => count > 0);
    };
    while (await busy()) await sleep(5);
    await worker.close();
  }

  async job(id) {
    const job = await this.queue.getJob(id);
    if (!job) throw new Error(`no job ${id}`);
    return job;
  }

  pause = () => this.queue.pause();
  resume = () => this.queue.resume();
  drain = () => this.queue.drain();
  retry_jobs = () => this.queue.retryJobs();
  promote_jobs = () => this.queue.promoteJobs();
  clean = (state) => this.queue.clean(0, 0, state);
  promote = async (id) => (await this.job(id)).promote();
  remove = async (id) => (await this.job(id)).remove();
  retry = async (id) => (await this.job(id)).retry();
  change_priority = async (id, priority) => (await this.job(id)).changePriority({ priority });
  change_delay = async (id, delay) => (await this.job(id)).changeDelay(delay);

  async jobs() {
    const found = {};
    for (const id of [...this.ids].sort()) {
      const job = await this.queue.getJob(id);
      if (!job) continue;
      found[id] = {
        state: await job.getState(),
        attempts_made: job.attemptsMade,
        attempts_started: job.attemptsStarted,
        priority: job.priority ?? 0,
        progress: job.progress || null,
        returnvalue: job.returnvalue ?? null,
        failed_reason: job.failedReason ?? null,
        log: (await this.queue.getJobLogs(id)).logs,
      };
    }
    return found;
  }

  async events() {
    const events = {};
    for (const [, fields] of await this.connection.xrange(this.queue.keys.events, "-", "+")) {
      const event = Object.fromEntries(
        fields.flatMap((value, k) => (k % 2 ? [] : [[value, fields[k + 1]]])),
      );
      (events[event.jobId ?? ""] ??= []).push(event.event);
    }
    return events;
  }

  async outcome() {
    const counts = await this.queue.getJobCounts(...BUSY, "completed", "failed");
    return { counts, order: this.order, jobs: await this.jobs(), events: await this.events() };
  }

  async close() {
    await this.queue.close();
    this.connection.disconnect();
  }
}

async function main() {
  const chunks = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  const { name, url, steps } = JSON.parse(Buffer.concat(chunks));
  const side = new Side(name, url);
  for (const [step, ...args] of steps) await side[step](...args);
  process.stdout.write(JSON.stringify(await side.outcome()));
  await side.close();
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
