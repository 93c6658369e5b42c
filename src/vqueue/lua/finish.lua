#!lua flags=allow-oom
--[[ finish: active → completed, failed, or delayed / waiting for the next attempt, for
many jobs in one call; then take the next ones
KEYS  the queue's nine keys (include/keys.lua)
ARGV  consumer  (string)
      want      (jobs to take next, 0..250)
      lease     (ms)
      per job ten values:
      id, entry   (strings)
      outcome     (completed, failed, delayed, waiting)
      value       (JSON: the result; else the reason as a JSON string)
      stack       (text, '' for none)
      started     (ms, as take told it)
      made        (attempts made, this one included)
      begun       (attempts started, this one included)
      progress    (JSON not sent yet, '' for none)
      rule        (completed, failed: keep rule "<count> <age ms>"; delayed: delay in ms)
Returns  {now (ms), per job 1 ok | 2 done before by this activation | 0 lease lost |
         -1 not written (its key is of a wrong type), next jobs, ms until next due or -1}
Cost     O(k log n + r), r evicted jobs, at most 1000
Crash    hashes are written first, entries are acknowledged last: a script that breaks
         off leaves the entry pending, and the sweep puts it right ]]
--- @include keys
--- @include clock
--- @include events
--- @include lanes
--- @include retention
--- @include fetch

local consumer, want, lease = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local FIRST, SIZE = 4, 10
reserve((#ARGV - 3) / SIZE + want + PROMOTE_MAX + 16)

local function ended_here(id, activation)
  return redis.call('HGET', job_key(id), 'z') == activation
    or redis.call('GET', tombstone_key(id)) == activation
end

-- check
local entries, statuses = {}, {}
for i = FIRST, #ARGV, SIZE do entries[#entries + 1] = ARGV[i + 1] end
local is_held = held_of(entries, consumer)
for k = 1, #entries do
  local id, entry = ARGV[FIRST + (k - 1) * SIZE], entries[k]
  if is_held[entry] then
    statuses[k] = 1
  elseif ended_here(id, entry .. ':' .. consumer) then
    statuses[k] = 2
  else
    statuses[k] = 0
  end
end

-- write
local ended, waiting, postponed, reported = {}, {}, {}, {}
local finished = {completed = {}, failed = {}}
local finished_events = {completed = {}, failed = {}}
local rules = {completed = {}, failed = {}}
local sets = {completed = completed, failed = failed}

local function append(list, first, second)
  list[#list + 1] = first
  list[#list + 1] = second
end

for k = 1, #statuses do
  local i = FIRST + (k - 1) * SIZE
  local id, entry, outcome, value = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local stack, started, made, begun = ARGV[i + 4], ARGV[i + 5], ARGV[i + 6], ARGV[i + 7]
  local progress, rule = ARGV[i + 8], ARGV[i + 9]
  if statuses[k] == 1 then
    local key, activation = job_key(id), entry .. ':' .. consumer
    local reply
    if outcome == 'completed' then
      reply = redis.pcall('HSET', key, 'z', activation, 'atm', made, 'ats', begun,
                          'po', started, 's', outcome, 'fo', now, 'rv', value)
    else
      reply = redis.pcall('HSET', key, 'z', activation, 'atm', made, 'ats', begun,
                          'po', started, 'fr', value, 'st', stack)
    end
    if type(reply) == 'table' and reply.err then
      statuses[k] = -1
    else
      if progress ~= '' then
        redis.call('HSET', key, 'g', progress)
        append(reported, id, progress)
      end
      if sets[outcome] then
        append(finished_events[outcome], id,
               made .. ' ' .. begun .. ' ' .. started .. ' ' .. value)
        if string.sub(rule, 1, 2) == '0 ' then
          redis.call('UNLINK', key, log_key(id))
          bury(id, activation)
        else
          if outcome == 'failed' then redis.call('HSET', key, 's', outcome, 'fo', now) end
          append(finished[outcome], now, id)
          rules[outcome][rule] = true
        end
      elseif outcome == 'delayed' then
        local due = now + tonumber(rule)
        local order = redis.call('HINCRBY', meta, 'delays', 1) % 4096
        redis.call('ZADD', delayed, due * 4096 + order, id)
        redis.call('HSET', key, 's', 'delayed')
        append(postponed, id, due)
      else
        push_back(id, tonumber(redis.call('HGET', key, 'p')) or 0)
        append(waiting, id, 'active')
      end
      ended[#ended + 1] = entry
    end
  end
end

for outcome, set in pairs(sets) do
  if #finished[outcome] > 0 then redis.call('ZADD', set, unpack(finished[outcome])) end
  for rule in pairs(rules[outcome]) do evict(set, rule) end
end
emit('progress', reported)
emit('completed', finished_events.completed)
emit('failed', finished_events.failed)
emit('delayed', postponed)
emit('waiting', waiting)
drop(ended)
if #waiting > 0 or #postponed > 0 then arm() end

local jobs, due = fetch(consumer, want, lease)
return {now, statuses, jobs, due}
