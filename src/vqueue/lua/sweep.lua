#!lua flags=allow-oom
--[[ sweep: stalled active → front of the line, or failed above the stalled limit, or because
it is cancelled
KEYS  the queue's nine keys (include/keys.lua)
ARGV  max_stalled  (stalls a job may have, unless its option says otherwise; a job of a
                   scheduler any number of them, as long as that exists)
      keep         (keep rule for failed jobs, unless the job's option says otherwise)
      dead_consumer  (whose entries count as stalled whatever their idle time, for a worker
                   that was seen to die; '' judges every entry by its lease)
Returns  {recovered jobs, failed jobs, 1 when repair.lua is needed now, 1 when tell_parents.lua
         is}
Cost     O(c), at most 100 entries a lane and call; the cursors live in meta
Crash    the entry of a job is acknowledged last; a repeat finds it again ]]
--- @include keys
--- @include clock
--- @include events
--- @include record
--- @include moving
--- @lazy groups
--- @include lanes
--- @include pushing
--- @include standing
--- @include retention
--- @include gate
--- @include enter
--- @include dedup
--- @include flow
--- @include dead_letter
--- @include failing
--- @include cancel
--- @include workers

local max_stalled, keep, dead_consumer = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local SWEEPER, SCAN = 'sweeper', 100
local REASON = '"job stalled more than allowable limit"'
reserve(4 * SCAN + 16)

-- After a restart the idle times include the time the server was away. Live workers
-- get one full lease to renew before anyone is judged.
local function server_came_back()
  local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  local seen = redis.call('HMGET', meta, 'run_id', 'sweep_after')
  if seen[1] ~= run_id then
    local after = seen[1] and now + Q.longest_lease or 0
    redis.call('HSET', meta, 'run_id', run_id, 'sweep_after', after)
    return after > now
  end
  return (tonumber(seen[2]) or 0) > now
end

local function entries_of_dead(stream)
  local entries = {}
  local pending = redis.pcall('XPENDING', stream, GROUP, '-', '+', SCAN, dead_consumer)
  if pending.err then return entries end
  for _, held_entry in ipairs(pending) do
    local entry = redis.call('XRANGE', stream, held_entry[1], held_entry[1])[1]
    if entry then table.insert(entries, entry) end
  end
  return entries
end

local function expired_entries(stream, cursor_field)
  local cursor = redis.call('HGET', meta, cursor_field) or '0-0'
  local reply = redis.pcall('XAUTOCLAIM', stream, GROUP, SWEEPER, Q.longest_lease, cursor,
                            'COUNT', SCAN)
  if reply.err then return {} end
  redis.call('HSET', meta, cursor_field, reply[1])
  return reply[2]
end

-- The next slot would bring another job like it: to fail this one spares no worker anything.
local function is_scheduled(options)
  return options.scheduler
    and redis.call('EXISTS', prefix .. 'sched:' .. options.scheduler) == 1
end

local function may_stall_again(job, options)
  if options.max_stalled then return job.stalls <= options.max_stalled end
  return job.stalls <= max_stalled or is_scheduled(options)
end

local ended, waiting, stalled = {}, {}, {}

local function recover(id, token)
  table.insert(ended, token)
  local job = load_job(id)
  if not job then return end
  if job[1] ~= token then
    -- the job has moved on, and left this entry to a finish that broke off
    local set = ({c = completed, f = failed, w = children})[job[1]]
    if not set then return end
    redis.call('ZADD', set, 'NX', now, id)
    if set == children then return note_parked(id) end
    if Q.has_flows then
      note_ended(id, set == failed and 'failed' or 'completed', record_of(id))
    end
    return
  end
  local options = job[4] ~= '' and cjson.decode(job[4]) or {}
  job.stalls, job.begun = job.stalls + 1, job.begun + 1
  table.insert(stalled, id)
  table.insert(stalled, job.stalls)
  note_stall(id, token, dead_consumer ~= '', options.lock_duration)
  local reason = cancel_reason(token)
  if not reason and may_stall_again(job, options) then
    push_front(id, job)
    table.insert(waiting, id)
    table.insert(waiting, 'active')
    return
  end
  fail_now(id, job, reason or REASON, keep)
  if not reason and options.dead_letter then note_dead(options.dead_letter, id, job) end
end

if not Q.longest_lease or (dead_consumer == '' and server_came_back()) then
  return {0, 0, 0, redis.call('EXISTS', prefix .. 'notices')}
end
for _, lane in ipairs({{ready, '', 'sweep_ready'}, {express, 'x', 'sweep_express'}}) do
  local entries = dead_consumer == '' and expired_entries(lane[1], lane[3])
                  or entries_of_dead(lane[1])
  -- the last one first: the front of the line grows backwards
  for i = #entries, 1, -1 do recover(entries[i][2][2], lane[2] .. entries[i][1]) end
end

emit('stalled', stalled)
tell_failures()
emit('waiting', waiting)
if #notices > 0 then tell_parents(1) end
if #dead > 0 then send_dead(1) end
drop(ended)
tell_drained()
forget_cancellations()
if #ended > 0 then arm() end
return {#waiting / 2, #failures.told / 2, redis.call('HEXISTS', meta, 'repair'),
        redis.call('EXISTS', prefix .. 'notices')}
