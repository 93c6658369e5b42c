#!lua
--[[ sched_put: make a job scheduler, or change it. With the same timing it keeps its slots and
its count, otherwise it starts again. A job of its that waits and was never begun is made
anew from the new template
KEYS  the queue's nine keys (include/keys.lua)
ARGV  id       (string)
      timing   (JSON, compared as text)
      template name, lines, place  (include/schedules.lua)
      every    (ms, 0 for a pattern)
      anchor   (ms; '' for now)
      first    (ms of the first slot; '' for the first of the interval from now on)
      slots    (ms …, those after the first one that are listed)
      final    (1: none comes after them, 0)
      limit    (jobs, 0 for no limit)
      last     (ms, 0 for none)
      missed   (one, skip, all)
      overlap  (0, 1)
Returns  1
Errors   OOM  the server is full: the script is refused before its first write
Cost     O(log n)          Crash  a repeat changes nothing but what is late by then ]]
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
--- @lazy enter
--- @lazy dedup
--- @lazy flow
--- @include schedules

local id, timing, name, lines, place = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local every, anchor, first, slots = tonumber(ARGV[6]), ARGV[7], ARGV[8], ARGV[9]
local final, limit, last, missed, overlap = ARGV[10], ARGV[11], ARGV[12], ARGV[13], ARGV[14]
reserve(FIRE_MAX + 8)

-- what is not listed is of a queue that is no more
if razed() and not redis.call('ZSCORE', sched, id) then redis.call('UNLINK', sched_key(id)) end
local old = load_scheduler(id)
local keeps_slots = old and old.timing == timing
local slot, count, job = tonumber(first), 0, ''
if not anchor or anchor == '' then anchor = ms_text(now) end
if not slot and every > 0 then
  slot = tonumber(anchor)
  if slot < now then slot = slot + math.ceil((now - slot) / every) * every end
end
if keeps_slots then
  slot, slots, final, anchor = old.slot, old.slots, old.final, ms_text(old.anchor)
  count = old.count
end
if old then
  job = old.job
  local made_at = tonumber(string.match(job, '%.(%d+)$'))
  if withdraw(job) then
    job = ''
    if keeps_slots then
      count = count - 1
      if slot then slots = ms_text(slot) .. ' ' .. slots end
      slot = made_at
    end
  end
end

-- an ended scheduler goes on when its limit has been raised
if keeps_slots and not slot and every > 0 and (limit == '0' or count < tonumber(limit)) then
  final = '0'
  slot = tonumber(anchor) + math.ceil((now - tonumber(anchor)) / every) * every
end
if slot and tonumber(last) > 0 and slot > tonumber(last) then slot, final = nil, '1' end

redis.call('HSET', sched_key(id), 'timing', timing, 'name', name, 'lines', lines, 'place', place,
           'every', every, 'anchor', anchor, 'slot', ms_text(slot), 'slots', slots,
           'final', final, 'limit', limit, 'last', last, 'missed', missed, 'overlap', overlap,
           'count', count, 'job', job)
if not keeps_slots then
  local tail = string.match(slots, '(%d+)%s*$') or first
  redis.call('HSET', sched_key(id), 'tail', tail)
  if every == 0 and final == '0' then
    redis.call('ZADD', tails, tail, id)
  else
    redis.call('ZREM', tails, id)
  end
end
local told = {added = {}, waiting = {}, looked = 0, most = FIRE_MAX}
local s = load_scheduler(id)
save_scheduler(id, s, fire(id, s, told))
note_next_slot()
tell_fired(told)
if Q.has_flows then tell_parents(0) end
arm() -- a worker that sleeps learns when the next slot is due
return 1
