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
             out of attempts; completed: at the end | and the worker's rule for jobs that fail
             after all, if it does not keep them; delayed: delay in ms; limited: ms in which no job is taken; limiter: the worker's rate limit,
             "<jobs> <ms>")
      count  (jobs that follow, four values each)
        id, token  (strings)
        record     (the job's new record, include/record.lua; its first line is c, f, d or
                   w, and for those that wait in line it is put here. progress: JSON)
        detail     (of the event; include/events.lua)
Returns  {now (ms), per job in the order of the groups, progress left out, 1 ok | 2 done
         before by this activation | 0 lease lost, next jobs, ms as take.lua returns them}
Cost     O(k log n + r), r evicted jobs, at most 250
Crash    records are written first, entries are acknowledged last: a script that breaks off
         leaves the entry pending, and the sweep puts it right ]]
--- @first ready_alone
--- @first finish_alone
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
--- @lazy consumer_group
--- @lazy gate
--- @lazy schedules
--- @lazy enter
--- @lazy dedup
--- @lazy flow
--- @lazy dead_letter
--- @lazy cancel
--- @include fetch
--- @include endings

local want, lease, argc = tonumber(ARGV[2]), tonumber(ARGV[3]), #ARGV
reserve(math.floor(argc / 2) + want + FETCH_IDS + 8)

-- check
local groups, tokens, at = {}, {}, 4
while at < argc do
  local first = at + 3
  local last = first + WIDTH * tonumber(ARGV[at + 2]) - 1
  groups[#groups + 1] = {kind = ARGV[at], rule = ARGV[at + 1], first = first, last = last}
  for i = first + 1, last, WIDTH do tokens[#tokens + 1] = ARGV[i] end
  at = last + 1
end
ending.is_held = held_of(tokens, ending.consumer)
if Q.has_flows or any_cancelled() then groups = diverted(groups) end

-- write
local EVENTS = {front = 'waiting', limited = 'waiting'}
for _, group in ipairs(groups) do
  local told = end_group(group)
  emit(EVENTS[group.kind] or group.kind, told)
  if group.kind == 'failed' and string.find(group.rule, '!', 1, true) then
    for i = 2, #told, 2 do told[i] = string.match(told[i], '^%d+') end
    emit('retries-exhausted', told)
  end
end
if ending.concludes then emit_entered() end
if ending.buries then rare_left = rare_left - 3 * count_dead() end
local tells = Q.has_flows or ending.parks
local told_most = share(NOTICES_MAX, 10, 3)
if tells then rare_left = rare_left - 3 * math.min(count_notices(), told_most) end
evictable = share(EVICTED_MAX, 25, 1)
rare_left = rare_left - evictable
if tells then tell_parents(want + FETCH_IDS + 8, told_most) end
for _, kept in ipairs(ending.kept) do evict(kept[1], kept[2]) end
rare_left = rare_left + evictable
if #doomed > 0 then unlink_doomed() end
drop(ending.ended)
if ending.buries then send_dead(want + FETCH_IDS + 8) end
if ending.rejected > 0 then count_minute('rejected', ending.rejected) end
-- at a limit nobody else looks for the slots that have become free here
if want == 0 and Q.gate ~= '' and #ending.ended > 0 then arm() end

local jobs, due = fetch(ending.consumer, want, lease, ending.own_max, ending.own_ms, false)
if #jobs == 0 and ending.has_finished and is_drained() then emit('drained', {'', ''}) end
return {now, ending.statuses, jobs, due}
