#!lua flags=allow-oom
--[[ finish: active → completed, failed, waiting-children, or delayed / waiting for another
start, for many jobs in one call; then take the next ones
KEYS  the queue's nine keys (include/keys.lua)
ARGV  consumer  (string)
      want      (jobs to take next, 0..250)
      lease     (ms)
      per group of jobs that end alike three values:
      kind   (completed, failed, delayed, waiting, waiting-children; front: waiting before all
             others of its priority; limited: the same, and no job is taken for a while.
             Before them all, progress for values not sent yet, and limiter with no jobs)
      rule   (completed, failed: keep rule "<count> <age ms>", and behind a space * when the
             options of the jobs hold a deduplication, + a dead letter queue, ! when they are
             out of attempts; delayed: delay in ms; limited: ms in which no job is taken; limiter: the worker's rate limit,
             "<jobs> <ms>")
      count  (jobs that follow, four values each)
        id, token  (strings)
        record     (the job's new record, include/record.lua; its first line is c, f, d or
                   w, and for those that wait in line it is put here. progress: JSON)
        detail     (of the event; include/events.lua)
Returns  {now (ms), per job in the order of the groups, progress left out, 1 ok | 2 done
         before by this activation | 0 lease lost, next jobs, ms as take.lua returns them}
Cost     O(k log n + r), r evicted jobs, at most 1000
Crash    records are written first, entries are acknowledged last: a script that breaks off
         leaves the entry pending, and the sweep puts it right ]]
--- @include keys
--- @include clock
--- @include events
--- @include record
--- @lazy moving
--- @lazy groups
--- @include lanes
--- @lazy pushing
--- @lazy standing
--- @include retention
--- @lazy gate
--- @lazy schedules
--- @lazy flow
--- @lazy enter
--- @lazy dedup
--- @lazy dead_letter
--- @lazy cancel
--- @include fetch

local consumer, want, lease = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local argc, WIDTH = #ARGV, 4
reserve(math.floor(argc / 2) + want + FETCH_IDS + 8)
local now_text = string.format('%.0f', now)

-- check
local groups, tokens, at = {}, {}, 4
while at < argc do
  local first = at + 3
  local last = first + WIDTH * tonumber(ARGV[at + 2]) - 1
  groups[#groups + 1] = {kind = ARGV[at], rule = ARGV[at + 1], first = first, last = last}
  for i = first + 1, last, WIDTH do tokens[#tokens + 1] = ARGV[i] end
  at = last + 1
end
local is_held = held_of(tokens, consumer)

if has_flows or any_cancelled() then
  -- Some jobs fail though their worker says otherwise: each becomes a group of its own. `why`
  -- gives the reason (JSON) for the job at an index, nothing for most; flags follow its keep
  -- rule.
  local parts = {}
  local function divert(group, why, flags)
    local from = group.first
    for i = group.first, group.last, WIDTH do
      local reason = is_held[ARGV[i + 1]] and why(i)
      if reason then
        local job = job_of(ARGV[i + 2])
        local options = job[4] ~= '' and cjson.decode(job[4]) or {}
        job[7], job[8] = reason, ''
        ARGV[i + 2] = record_at('f', job)
        ARGV[i + 3] = table.concat({job.made, job.begun, job.started, reason}, ' ')
        table.insert(parts, {kind = group.kind, rule = group.rule, first = from, last = i - 1})
        from = i + WIDTH
        table.insert(parts, {kind = 'failed', rule = (options.remove_on_fail or '-1 -1') .. flags,
                             first = i, last = from - 1})
      end
    end
    table.insert(parts, {kind = group.kind, rule = group.rule, first = from, last = group.last})
  end
  -- a parent does not complete while children have not ended or have failed it
  local function why_incomplete(i) return why_unfinished(ARGV[i]) end
  local function why_cancelled(i) return cancel_reason(ARGV[i + 1]) end

  local ENDS = {completed = true, failed = true, progress = true, limiter = true}
  for _, group in ipairs(groups) do
    if has_flows and group.kind == 'completed' then
      divert(group, why_incomplete, ' *+')
    elseif any_cancelled() and not ENDS[group.kind] then
      divert(group, why_cancelled, ' *')
    else
      table.insert(parts, group)
    end
  end
  groups = parts
end

-- write
local statuses, ended, rejected = {}, {}, 0

-- Returns the events of those that are held, having called `write` with each one's index.
local function settle(group, write)
  local told = {}
  for i = group.first, group.last, WIDTH do
    local id, token = ARGV[i], ARGV[i + 1]
    if is_held[token] then
      write(i, id)
      ended[#ended + 1] = token
      told[#told + 1] = id
      told[#told + 1] = ARGV[i + 3]
      statuses[#statuses + 1] = 1
    else
      local was_before = ended_by(id, token .. ':' .. consumer)
      statuses[#statuses + 1] = was_before and 2 or 0
      if not was_before then rejected = rejected + 1 end
    end
  end
  return told
end

local function keep(group, set)
  local records, members = {}, {}
  local told = settle(group, function(i, id)
    records[#records + 1] = jobs_prefix .. id
    records[#records + 1] = ARGV[i + 2]
    members[#members + 1] = now_text
    members[#members + 1] = id
  end)
  if #told == 0 then return told end
  redis.call('MSET', unpack(records))
  redis.call('ZADD', set, unpack(members))
  evict(set, group.rule)
  return told
end

local function remove(group)
  return settle(group, function(i, id)
    redis.call('UNLINK', unpack(keys_of(id)))
    bury(id, ARGV[i + 1] .. ':' .. consumer)
  end)
end

local function note_group(group)
  for i = group.first, group.last, WIDTH do
    if is_held[ARGV[i + 1]] then note_ended(ARGV[i], group.kind, ARGV[i + 2]) end
  end
end

local concludes, buries = false, false

-- what the options of jobs say about their end
local function conclude(group)
  local is_dead = string.find(group.rule, '+', 1, true)
  concludes, buries = true, buries or is_dead
  for i = group.first, group.last, WIDTH do
    if is_held[ARGV[i + 1]] then
      local job = job_of(ARGV[i + 2])
      local options = job[4] ~= '' and cjson.decode(job[4]) or {}
      if options.deduplication then release_owner(options.deduplication, ARGV[i]) end
      if is_dead and options.dead_letter then note_dead(options.dead_letter, ARGV[i], job) end
    end
  end
end

local has_finished = false

local function finish(set)
  return function(group)
    if has_flows then note_group(group) end
    local is_kept = string.sub(group.rule, 1, 2) ~= '0 '
    local told = is_kept and keep(group, set) or remove(group)
    if string.find(group.rule, '[*+]') then conclude(group) end
    has_finished = has_finished or #told > 0
    return told
  end
end

local kinds = {completed = finish(completed), failed = finish(failed)}

function kinds.progress(group)
  local told = {}
  for i = group.first, group.last, WIDTH do
    if is_held[ARGV[i + 1]] then
      redis.call('HSET', live_key(ARGV[i]), 'g', ARGV[i + 2])
      told[#told + 1] = ARGV[i]
      told[#told + 1] = ARGV[i + 2]
    end
  end
  return told
end

function kinds.delayed(group)
  local due = now + tonumber(group.rule)
  local told = settle(group, function(i, id)
    redis.call('SET', job_key(id), ARGV[i + 2])
    postpone(id, due)
  end)
  for i = 2, #told, 2 do told[i] = due end
  if #told > 0 then arm() end
  return told
end

function kinds.waiting(group)
  local told = settle(group, function(i, id)
    redis.call('SET', job_key(id), ARGV[i + 2])
    push_back(id, load_job(id))
  end)
  if #told > 0 then arm() end
  return told
end

-- the last one first: the front of the line grows backwards
function kinds.front(group)
  local told = settle(group, function(i, id)
    redis.call('SET', job_key(id), ARGV[i + 2])
  end)
  for i = #told - 1, 1, -2 do push_front(told[i], load_job(told[i])) end
  if #told > 0 then arm() end
  return told
end

local parks = false
kinds['waiting-children'] = function(group)
  parks = true
  return settle(group, function(i, id)
    redis.call('SET', job_key(id), ARGV[i + 2])
    redis.call('ZADD', children, now, id)
    note_parked(id)
  end)
end

local own_max, own_ms
function kinds.limiter(group)
  own_max, own_ms = string.match(group.rule, '^(%d+) (%d+)$')
  own_max, own_ms = tonumber(own_max), tonumber(own_ms)
  return {}
end

function kinds.limited(group)
  local told = kinds.front(group)
  if #told > 0 then hold_back(tonumber(group.rule)) end
  return told
end

local EVENTS = {front = 'waiting', limited = 'waiting'}
for _, group in ipairs(groups) do
  local told = kinds[group.kind](group)
  emit(EVENTS[group.kind] or group.kind, told)
  if group.kind == 'failed' and string.find(group.rule, '!', 1, true) then
    for i = 2, #told, 2 do told[i] = string.match(told[i], '^%d+') end
    emit('retries-exhausted', told)
  end
end
if concludes then emit_entered() end
if has_flows or parks then tell_parents(want + FETCH_IDS + 8) end
drop(ended)
if buries then send_dead(want + FETCH_IDS + 8) end
if rejected > 0 then count_minute('rejected', rejected) end
-- at a limit nobody else looks for the slots that have become free here
if want == 0 and gate ~= '' and #ended > 0 then arm() end

local jobs, due = fetch(consumer, want, lease, own_max, own_ms)
-- drained: neither waits a job nor does one run
if #jobs == 0 and has_finished and redis.call('XLEN', ready) == 0
  and redis.call('XLEN', express) == 0 and redis.call('ZCARD', prioritized) == 0 then
  emit('drained', {'', ''})
end
return {now, statuses, jobs, due}
