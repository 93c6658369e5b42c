#!lua flags=allow-oom
--[[ take: waiting or prioritized → active, for as many jobs as there are free slots
KEYS  the queue's nine keys (include/keys.lua)
ARGV  consumer  (string, unique per worker process)
      want      (jobs, 0..250)
      lease     (ms, at most the queue's longest)
      own_max, own_ms  (the worker's rate limit: jobs in so many ms; may be missing)
Returns  {now (ms), {token, id, record (include/record.lua), …}, ms until there may be
         more: a delayed job or a slot is due, a limit gives way; or -1}
Cost     O((p + k) log n), p promoted jobs, at most 60
Crash    a lost reply leaves entries pending for this consumer: adopt.lua finds them ]]
--- @first ready_alone
--- @first take_alone
--- @include keys
--- @include clock
--- @include events
--- @include record
--- @lazy moving
--- @lazy groups
--- @include lanes
--- @lazy pushing
--- @lazy consumer_group
--- @lazy gate
--- @lazy standing
--- @lazy schedules
--- @include fetch

local consumer, want, lease = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local own_max, own_ms
if ARGV[4] then own_max, own_ms = tonumber(ARGV[4]), tonumber(ARGV[5]) end
reserve(want + FETCH_IDS)
local jobs, due = fetch(consumer, want, lease, own_max, own_ms, true)
return {now, jobs, due}
