// BullMQ on Node: the operations of adapter.py, in the same words. Run with NODE_PATH set to the
// node_modules of its environment. Settings: `best` (concurrency as asked, addBulk, autorun).
"use strict";

const readline = require("node:readline");
const { Queue, QueueEvents, Worker } = require("bullmq");

const PAYLOAD_BYTES = 100;
const UNSUPPORTED = "unsupported: ";
const GUARANTEES =
  "lock token renewed from the event loop, checked when a job ends; events; results kept";

const nowUs = () => Number(process.hrtime.bigint()) / 1000; // CLOCK_MONOTONIC, as in ledger.py
const seconds = (since) => (nowUs() - since) / 1e6;
const rounded = (us) => Math.round(us * 10) / 10;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// What a JSON.stringify of the same data gives is what Redis stores.
function payload(index, addedUs) {
  const data = { i: index, pad: "" };
  if (addedUs !== undefined) data.t = rounded(addedUs);
  data.pad = "x".repeat(PAYLOAD_BYTES - JSON.stringify(data).length);
  return data;
}

// The same as Ledger in ledger.py.
class Ledger {
  constructor(expected, warm, enough) {
    this.expected = expected;
    this.enough = enough ?? expected;
    this.moments = enough === undefined ? null : [];
    this.first = 0;
    this.warm = Math.max(warm, 1);
    this.counts = Buffer.alloc(expected);
    this.distinct = this.runs = this.unknown = 0;
    this.windowFrom = this.windowTo = 0;
    this.waits = [];
  }

  record(data) {
    const moment = nowUs();
    this.runs += 1;
    if (this.runs === 1) this.first = moment;
    if (this.moments) this.moments.push(moment);
    if (this.runs === this.warm) this.windowFrom = moment;
    if (data.t !== undefined) this.waits.push(rounded(moment - data.t));
    if (!(data.i >= 0 && data.i < this.expected)) {
      this.unknown += 1;
      return false;
    }
    const before = this.counts[data.i];
    this.counts[data.i] = Math.min(before + 1, 255);
    if (before) return false;
    this.distinct += 1;
    this.windowTo = moment;
    return this.distinct === this.enough;
  }

  progress() {
    return { seen: this.distinct, first_us: this.first, last_us: this.windowTo };
  }

  figures() {
    const moments = this.moments ?? [];
    return {
      runs: this.runs,
      unknown: this.unknown,
      counts: this.counts.toString("base64"),
      window_jobs: Math.max(this.distinct - this.warm, 0),
      window_s: Math.max(this.windowTo - this.windowFrom, 0) / 1e6,
      waits_us: this.waits,
      gaps_us: moments.slice(1).map((moment, k) => rounded(moment - moments[k])),
    };
  }
}

async function share(tasks, jobs, act) {
  const line = jobs.values();
  const takeAll = async () => {
    for (const data of line) await act(data);
  };
  await Promise.all(Array.from({ length: Math.min(tasks, jobs.length) }, takeAll));
}

async function timed(act) {
  const started = nowUs();
  await act();
  return { seconds: seconds(started) };
}

// A small generator with a seed: the gaps are the same in every run.
function uniformGaps(seed) {
  let state = seed >>> 0 || 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return 0.5 + state / 2 ** 32;
  };
}

class Peer {
  constructor() {
    this.next = 0;
  }

  take(count) {
    const first = this.next;
    this.next += count;
    return Array.from({ length: count }, (_, k) => payload(first + k));
  }

  add(data) {
    return this.queue.add("noop", data);
  }

  addMany(jobs) {
    return this.queue.addBulk(jobs.map((data) => ({ name: "noop", data })));
  }

  async inBulk(jobs, chunk) {
    for (let start = 0; start < jobs.length; start += chunk) {
      await this.addMany(jobs.slice(start, start + chunk));
    }
  }

  async oneByOne(jobs) {
    for (const data of jobs) await this.add(data);
  }

  async open({ redis_url, queue_name }) {
    const { hostname, port } = new URL(redis_url);
    this.connection = { host: hostname, port: Number(port) };
    this.name = queue_name;
    this.queue = new Queue(this.name, { connection: this.connection });
    await this.queue.waitUntilReady();
    const version = (name) => require(`${name}/package.json`).version;
    return {
      versions: { bullmq: version("bullmq"), ioredis: version("ioredis"), node: process.version },
      guarantees: GUARANTEES,
    };
  }

  async close() {
    if (this.events) await this.events.close();
    await this.queue.close();
    return {};
  }

  async add_one_by_one({ count, warm }) {
    await this.oneByOne(this.take(warm));
    const jobs = this.take(count);
    return timed(() => this.oneByOne(jobs));
  }

  async add_concurrently({ count, warm, in_flight }) {
    await share(in_flight, this.take(warm), (data) => this.add(data));
    const jobs = this.take(count);
    return timed(() => share(in_flight, jobs, (data) => this.add(data)));
  }

  async add_bulk({ count, warm, chunk }) {
    await this.inBulk(this.take(warm), chunk);
    const jobs = this.take(count);
    return timed(() => this.inBulk(jobs, chunk));
  }

  async fill({ count }) {
    await this.inBulk(this.take(count), 1000);
    return {};
  }

  async add_paced({ count, interval_ms }) {
    const gap = uniformGaps(count);
    const started = nowUs();
    let due = started;
    for (let k = 0; k < count; k += 1) {
      due += gap() * interval_ms * 1000;
      await sleep(Math.max((due - nowUs()) / 1000, 0));
      await this.add(payload(this.next++, nowUs()));
    }
    return { seconds: seconds(started) };
  }

  async add_timed({ count }) {
    const durations = [];
    for (const data of this.take(count)) {
      const started = nowUs();
      await this.add(data);
      durations.push(rounded(nowUs() - started));
    }
    return { durations_us: durations };
  }

  async add_delayed({ count, due_in_s }) {
    const due = nowUs() + due_in_s * 1e6;
    const jobs = this.take(count).map(({ i }) => payload(i, due));
    await share(50, jobs, (data) =>
      this.queue.add("noop", data, { delay: Math.max(Math.round((due - nowUs()) / 1000), 0) }),
    );
    return { early_s: (due - nowUs()) / 1e6 };
  }

  async end_to_end({ count, warm, in_flight }) {
    this.events = new QueueEvents(this.name, { connection: this.connection });
    this.events.setMaxListeners(0);
    await this.events.waitUntilReady();
    const addAndAwait = async (data) => {
      const job = await this.add(data);
      await job.waitUntilFinished(this.events);
    };
    await share(in_flight, this.take(warm), addAndAwait);
    const jobs = this.take(count);
    return timed(() => share(in_flight, jobs, addAndAwait));
  }

  async work_start({ slots, expected, warm = 0, enough }) {
    this.ledger = new Ledger(expected, warm, enough);
    this.completed = new Promise((resolve) => {
      this.complete = resolve;
    });
    const ran = async (job) => {
      if (this.ledger.record(job.data)) this.complete(true);
    };
    this.worker = new Worker(this.name, ran, { connection: this.connection, concurrency: slots });
    this.worker.on("error", (error) => console.error(error));
    await this.worker.waitUntilReady();
    return {};
  }

  async work_wait({ limit_s }) {
    let timer;
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, limit_s * 1000, false);
    });
    const inTime = await Promise.race([this.completed, late]);
    clearTimeout(timer);
    return { in_time: inTime };
  }

  async work_progress() {
    return this.ledger.progress();
  }

  async work_stop() {
    await this.worker.close();
    return this.ledger.figures();
  }

  async count_left_over() {
    const counts = await this.queue.getJobCounts("waiting", "active", "delayed", "prioritized");
    return { left_over: Object.values(counts).reduce((sum, count) => sum + count, 0) };
  }
}

const OPERATIONS = new Set(
  Object.getOwnPropertyNames(Peer.prototype).filter((name) => /^[a-z]+(_[a-z]+)*$/.test(name)),
);

async function main() {
  const peer = new Peer();
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    let answer;
    try {
      if (!OPERATIONS.has(request.do)) throw new Error(`${UNSUPPORTED}no operation ${request.do}`);
      answer = { id: request.id, gave: await peer[request.do](request.with) };
    } catch (error) {
      answer = { id: request.id, failed: error.message };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
}

main();
