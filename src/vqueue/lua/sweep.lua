#!lua flags=allow-oom
--[[ sweep: stalled active → front of the line, or failed above the stalled limit, or because
it is cancelled
KEYS  the queue's nine keys (include/keys.lua)
ARGV  max_stalled  (stalls a job may have, unless its option says otherwise; a job of a
                   scheduler any number of them, as long as that exists)
      keep         (keep rule for failed jobs, unless the job's option says otherwise)
      dead_consumer  (whose entries count as stalled whatever their idle time, for a worker
                   that was seen to die; '' judges every entry by its lease)
      cursor       ('' for the first call, or as returned)
Returns  {cursor of the next call or '', recovered jobs, failed jobs, 1 when repair.lua is needed
         now, 1 when tell_parents.lua is}
Cost     O(log n + e + k), e entries, at most 1000 of a lane, k stalled jobs, at most 100
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
--- @include consumer_group
--- @include gate
--- @include enter
--- @include dedup
--- @include flow
--- @include dead_letter
--- @include failing
--- @include cancel
--- @include workers

local max_stalled, keep, dead_consumer, cursor = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local LOOKED_AT_MAX, STALLED_MAX = 1000, 100
local SWEEPER = 'sweeper'
local REASON = '"job stalled more than allowable limit"'
reserve(4 * STALLED_MAX + 16)

-- After a restart the idle times include the time the server was away. Live workers get one full
-- lease to renew before anyone is judged, but no more than they need however long it is: they renew
-- every second, and have given their jobs up when the server was away for a lease.
local RENEWED_MS = 30000
local function server_came_back()
  local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  local seen = redis.call('HMGET', meta, 'run_id', 'sweep_after')
  if seen[1] ~= run_id then
    local after = seen[1] and now + math.min(Q.longest_lease, RENEWED_MS) or 0
    redis.call('HSET', meta, 'run_id', run_id, 'sweep_after', after)
    return after > now
  end
  return (tonumber(seen[2]) or 0) > now
end

-- Stalled activations: {token, id of the job (nothing when the entry is gone), consumer}.
local found = {}

-- Claim those of a lane from `start` on, so that nobody else's call about them counts any more;
-- XPENDING says who held them, which a claim does not. Returns where to go on, nothing at the end.
local function find_expired(stream, mark, start)
  local pending = redis.pcall('XPENDING', stream, GROUP, start, '+', LOOKED_AT_MAX)
  if pending.err then return nil end
  local first, count, holders = nil, 0, {}
  for _, held_entry in ipairs(pending) do
    local id, consumer, idle_ms = unpack(held_entry)
    if idle_ms >= Q.longest_lease then
      first, count, holders[id] = first or id, count + 1, consumer
    end
  end
  count = math.min(count, STALLED_MAX - #found)
  if first and count == 0 then return first end
  if not first then return #pending == LOOKED_AT_MAX and '(' .. pending[#pending][1] or nil end
  local after, claimed, gone = unpack(redis.call(
    'XAUTOCLAIM', stream, GROUP, SWEEPER, Q.longest_lease, first, 'COUNT', count))
  for _, entry in ipairs(claimed) do
    found[#found + 1] = {mark .. entry[1], entry[2][2], holders[entry[1]]}
  end
  for _, id in ipairs(gone) do found[#found + 1] = {mark .. id} end
  return after ~= '0-0' and after or nil
end

-- The same for all that one consumer holds, however long it has.
local function find_of_dead(stream, mark, start)
  local most = STALLED_MAX - #found
  if most == 0 then return start end
  local pending = redis.pcall('XPENDING', stream, GROUP, start, '+', most, dead_consumer)
  if pending.err then return nil end
  for _, held_entry in ipairs(pending) do
    local id = held_entry[1]
    local entry = redis.call('XRANGE', stream, id, id)[1]
    found[#found + 1] = {mark .. id, entry and entry[2][2], dead_consumer}
  end
  return #pending == most and '(' .. pending[most][1] or nil
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

-- A job that has moved on has left its entry to a script that broke off.
local function put_right(id, job)
  local set = ({c = completed, f = failed, w = children})[job[1]]
  if set then redis.call('ZADD', set, 'NX', now, id) end
  if set == children then return note_parked(id) end
  if set and Q.has_flows then
    note_ended(id, set == failed and 'failed' or 'completed', record_of(id))
  end
  if set or job[1] ~= '' and is_in_place(id, job[1]) then return end
  -- nobody knows any more when it was due, or behind whom it stood
  push_front(id, job)
  table.insert(waiting, id)
  table.insert(waiting, 'active')
end

local function recover(token, id, consumer)
  table.insert(ended, token)
  local job = id and load_job(id)
  if not job then return end
  if job[1] ~= token then return put_right(id, job) end
  local options = options_of(job)
  job.stalls, job.begun = job.stalls + 1, job.begun + 1
  table.insert(stalled, id)
  table.insert(stalled, job.stalls)
  note_stall(id, consumer, dead_consumer ~= '', options.lock_duration)
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
  return {'', 0, 0, 0, redis.call('EXISTS', prefix .. 'notices')}
end
local find = dead_consumer == '' and find_expired or find_of_dead
local next_cursor
for _, lane in ipairs({{ready, '', '^%(?%d.*'}, {express, 'x', '^x(.*)'}}) do
  local stream, mark, pattern = unpack(lane)
  local start = cursor == '' and '-' or string.match(cursor, pattern)
  if start and not next_cursor then
    local first = #found + 1
    local rest = find(stream, mark, start)
    next_cursor = rest and mark .. rest
    -- the last one first: the front of the line grows backwards
    for i = #found, first, -1 do recover(unpack(found[i], 1, 3)) end
    cursor = ''
  end
end

emit('stalled', stalled)
tell_failures()
emit('waiting', waiting)
if #notices > 0 then tell_parents(1) end
unlink_doomed()
if #dead > 0 then send_dead(1) end
drop(ended)
tell_drained()
forget_cancellations()
if #ended > 0 then arm() end
return {next_cursor or '', #waiting / 2, #failures.told / 2, redis.call('HEXISTS', meta, 'repair'),
        redis.call('EXISTS', prefix .. 'notices')}
