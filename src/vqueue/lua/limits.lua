#!lua flags=no-writes
--[[ limits: what keeps jobs of the queue from being taken
KEYS  the queue's nine keys (include/keys.lua)
ARGV  max_jobs  (jobs of a window to judge by where the queue has no rate limit; '' for none)
Returns  {1 when paused, concurrency or -1, jobs of a window or -1, its ms or -1,
         ms until jobs may be taken again, 0 for now; pause and concurrency left out}
Cost     O(1)          Crash  reads only ]]
--- @include keys
--- @include clock
--- @include record
--- @include moving
--- @lazy groups
--- @include lanes
--- @include pushing
--- @include consumer_group
--- @include gate

local max_jobs = tonumber(ARGV[1])
Q.gate = redis.call('HGET', meta, 'gate') or ''
local limits = read_limits()
local wait = math.max(0, (limits.held_until or 0) - now)
local max = limits.limit_max or max_jobs
if max and (limits.window_end or 0) > now and (limits.window_used or 0) >= max then
  wait = math.max(wait, limits.window_end - now)
end
return {is_paused() and 1 or 0, limits.concurrency or -1, limits.limit_max or -1,
        limits.limit_ms or -1, wait}
