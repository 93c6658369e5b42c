// Runs one scenario (JSON on stdin, see scenarios/) on BullMQ; prints the outcome as JSON.
// `bullmq.cjs hold <queue> <url>` is a worker that takes a job, prints its id and keeps it.
"use strict";

const { spawn } = require("node:child_process");
const { once } = require("node:events");
const { DelayedError, FlowProducer, Queue, UnrecoverableError, Worker } = require("bullmq");
const IORedis = require("ioredis");

const NAMES = {
  remove_on_complete: "removeOnComplete",
  fail_parent_on_failure: "failParentOnFailure",
  ignore_dependency_on_failure: "ignoreDependencyOnFailure",
  continue_parent_on_failure: "continueParentOnFailure",
  remove_dependency_on_failure: "removeDependencyOnFailure",
  keep_last_if_active: "keepLastIfActive",
};
const PARKED_MS = 20;
const LIMITER = { max: 1000, duration: 1000 };
const LEASE = { lockDuration: 500, stalledInterval: 150 };
const BUSY = ["waiting", "prioritized", "delayed", "active", "waiting-children"];
const HAND = "by-hand";

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const connect = (url) => new IORedis(url, { maxRetriesPerRequest: null });

function optionsOf(options = {}) {
  const read = ([name, value]) => [
    NAMES[name] ?? name,
    name === "deduplication" ? optionsOf(value) : value,
  ];
  return Object.fromEntries(Object.entries(options).map(read));
}

// A state that does not fit is an answer; whatever else goes wrong ends the program.
function isRefusal(error) {
  return typeof error.code === "number" || /could not be removed/.test(error.message);
}

class Side {
  constructor(name, url) {
    this.name = name;
    this.url = url;
    this.connection = connect(url);
    this.queue = new Queue(name, { connection: this.connection });
    this.order = [];
    this.ids = new Set();
    this.held = new Map();
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

  async schedule(id, { start_in: firstIn, ...repeat }, data) {
    if (firstIn) repeat.startDate = Date.now() + firstIn;
    await this.queue.upsertJobScheduler(id, repeat, { name: "task", data });
  }

  async work(plan) {
    const left = structuredClone(plan);
    const handle = async (job, token) => {
      this.order.push(job.id);
      const does = left[job.id]?.shift() ?? left["*"]?.shift() ?? "ok";
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
      if (does === "values") return byId(await job.getChildrenValues());
      if (does === "failures") return byId(await job.getIgnoredChildrenFailures());
      return job.data;
    };
    const worker = new Worker(this.name, handle, {
      connection: this.connection,
      limiter: LIMITER,
      drainDelay: 1,
      ...LEASE,
    });
    const busy = async () => {
      const counts = await this.queue.getJobCounts(...BUSY);
      return Object.values(counts).some((count) => count > 0);
    };
    while (await busy()) await sleep(5);
    await worker.close();
  }

  async kill() {
    const holder = spawn(process.execPath, [__filename, "hold", this.name, this.url], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const [id] = await once(holder.stdout, "data");
    holder.kill("SIGKILL");
    await once(holder, "exit");
    this.order.push(id.toString());
    return id.toString();
  }

  async take() {
    this.hand ??= new Worker(this.name, null, { connection: this.connection });
    const job = await this.hand.getNextJob(HAND, { block: false });
    if (!job) return null;
    this.order.push(job.id);
    this.held.set(job.id, job);
    return job.id;
  }

  complete = async (id) => {
    await this.held.get(id).moveToCompleted(id, HAND, false);
  };
  fail = async (id) => {
    await this.held.get(id).moveToFailed(new Error("boom"), HAND, false);
  };

  async job(id) {
    const job = await this.queue.getJob(id);
    if (!job) throw Object.assign(new Error(`no job ${id}`), { code: -1 });
    return job;
  }

  unschedule = (id) => this.queue.removeJobScheduler(id);
  pause = () => this.queue.pause();
  resume = () => this.queue.resume();
  drain = (delayed) => this.queue.drain(delayed);
  retry_jobs = () => this.queue.retryJobs();
  promote_jobs = () => this.queue.promoteJobs();
  clean = (state) => this.queue.clean(0, 0, state);
  concurrency = (most) => this.queue.setGlobalConcurrency(most);
  limit = (max, duration) => this.queue.setGlobalRateLimit(max, duration);
  free_limit = () => this.queue.removeRateLimitKey();
  free_deduplication = (id) => this.queue.removeDeduplicationKey(id);
  promote = async (id) => (await this.job(id)).promote();
  remove = async (id) => (await this.job(id)).remove();
  update_data = async (id, data) => (await this.job(id)).updateData(data);
  change_delay = async (id, delay) => (await this.job(id)).changeDelay(delay);
  change_priority = async (id, priority, lifo = false) =>
    (await this.job(id)).changePriority({ priority, lifo });
  retry = async (id, state = "failed", reset = false) =>
    (await this.job(id)).retry(state, { resetAttemptsMade: reset, resetAttemptsStarted: reset });

  async jobs(ids) {
    const found = {};
    for (const id of ids) {
      const job = await this.queue.getJob(id);
      if (!job) continue;
      found[id] = {
        state: await job.getState(),
        data: job.data,
        attempts_made: job.attemptsMade,
        attempts_started: job.attemptsStarted,
        stalled_count: job.stalledCounter,
        priority: job.priority ?? 0,
        progress: job.progress || null,
        returnvalue: job.returnvalue ?? null,
        failed_reason: job.failedReason ?? null,
        traces: job.stacktrace.length,
        log: (await this.queue.getJobLogs(id)).logs,
      };
    }
    return found;
  }

  async schedulers() {
    const found = await this.queue.getJobSchedulers();
    return Object.fromEntries(found.map(({ key, iterationCount }) => [key, iterationCount]));
  }

  async events() {
    const entries = await this.connection.xrange(this.queue.keys.events, "-", "+");
    return entries.map(([entry, fields]) => [entry, fields]);
  }

  async snapshot(answer) {
    const events = await this.events();
    const told = events.map(([, fields]) => fields[fields.indexOf("jobId") + 1]);
    return {
      answer: answer ?? null,
      counts: await this.queue.getJobCounts(...BUSY, "completed", "failed"),
      jobs: await this.jobs(new Set([...this.ids, ...told])),
      schedulers: await this.schedulers(),
    };
  }

  // Returns what there is to see after a step; of the calls, only those that take answer.
  async do([step, ...args]) {
    let answer = null;
    try {
      const returned = await this[step](...args);
      if (step === "take" || step === "kill") answer = returned;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      answer = "refused";
    }
    return this.snapshot(answer);
  }

  async close() {
    await this.hand?.close();
    await this.queue.close();
    this.connection.disconnect();
  }
}

function byId(values) {
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key.split(":").at(-1), value]),
  );
}

function hold(name, url) {
  process.stdin.resume().on("end", () => process.exit(1)); // not longer than its starter
  const keep = (job) => {
    process.stdout.write(job.id);
    return new Promise(() => {});
  };
  const worker = new Worker(name, keep, { connection: connect(url), ...LEASE });
  worker.on("error", (error) => process.stderr.write(`${error.stack}\n`));
}

async function main() {
  const chunks = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  const { name, url, steps } = JSON.parse(Buffer.concat(chunks));
  const side = new Side(name, url);
  const snapshots = [];
  for (const step of steps) snapshots.push(await side.do(step));
  const outcome = { steps: snapshots, order: side.order, events: await side.events() };
  process.stdout.write(JSON.stringify(outcome));
  await side.close();
}

if (process.argv[2] === "hold") {
  hold(...process.argv.slice(3));
} else {
  main().catch((error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exit(1);
  });
}
