#!lua flags=allow-oom
--[[ obliterate: the queue has no jobs and no settings any more, as of one moment. Its clock and
the numbers of its events go on, so that no fence and no version repeats. What belongs to single
jobs, groups and schedulers is left to the caller, and does not count from here on
(include/keys.lua): sweep_orphans for all keys, then obliterate_end.
KEYS  the queue's nine keys (include/keys.lua)
ARGV  force  ('1' also when jobs are active: their workers lose them)
Returns  {0, the ms that begins the queue as it is now} | refused: {number of active jobs, 0}, or
         {-1, 0} as long as parents are still to be told of their children (tell_parents.lua)
Cost     O(1): the server frees the memory in the background
Crash    a repeat obliterates what has come since ]]
--- @include keys
--- @include clock
--- @include consumer_group

local force = ARGV[1] == '1'
local active = pending_of(ready) + pending_of(express)
if active > 0 and not force then return {active, 0} end
if redis.call('EXISTS', prefix .. 'notices') == 1 then return {-1, 0} end

reserve(0)
local number = (tonumber(redis.call('HGET', meta, 'n')) or 0) + 1
local ms = clock.ms + 1
redis.call('UNLINK', unpack(KEYS))
for _, name in ipairs({'children', 'cancels', 'sched', 'tails', 'wks', 'groups', 'ring', 'resting',
                       'turns', 'fresh', 'm:completed', 'm:failed', 'm:stalled', 'm:rejected'}) do
  redis.call('UNLINK', prefix .. name)
end
local WINDOW_MS, WINDOWS = 300000, 14 -- include those of latencies.lua that are kept
for age = 0, WINDOWS do
  redis.call('UNLINK', prefix .. string.format('m:lat:%.0f', math.floor(now / WINDOW_MS) - age))
end
redis.call('HSET', meta, 'ms', ms, 'seq', 1, 'n', number, 'razed', ms)
redis.call('XGROUP', 'CREATE', ready, GROUP, '0', 'MKSTREAM')
redis.call('XGROUP', 'CREATE', express, GROUP, '0', 'MKSTREAM')
redis.call('XADD', ev, string.format('%.0f-1', ms), 'e', 'obliterated', 'n', number, '', '')
return {0, ms}
