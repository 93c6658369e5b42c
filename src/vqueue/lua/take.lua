#!lua flags=allow-oom
--[[ take: waiting or prioritized → active, for as many jobs as there are free slots
KEYS  the queue's nine keys (include/keys.lua)
ARGV  consumer  (string, unique per worker process)
      want      (jobs, 0..250)
      lease     (ms, at most the queue's longest)
Returns  {now (ms), {token, id, record (include/record.lua), …}, ms until the next
         delayed job is due or -1}
Cost     O((p + k) log n), p promoted jobs, at most 250
Crash    a lost reply leaves entries pending for this consumer: adopt.lua finds them ]]
--- @include keys
--- @include clock
--- @include events
--- @include record
--- @include lanes
--- @include fetch

local consumer, want, lease = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
reserve(want + PROMOTE_MAX + 8)
local jobs, due = fetch(consumer, want, lease)
return {now, jobs, due}
