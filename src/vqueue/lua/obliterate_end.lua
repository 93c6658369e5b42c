#!lua flags=allow-oom
--[[ obliterate_end: nothing is left of the queue that was obliterated. If nobody has come since,
its events alone stay for an hour: readers find them, and the clock goes on from there.
KEYS  the queue's nine keys (include/keys.lua)
ARGV  began  (ms, as obliterate returned it)
Returns  1 | 0: the queue was obliterated again since, or this was done
Cost     O(1)          Crash  a repeat changes nothing ]]
--- @include keys

local EVENT_MS = 3600000
if redis.call('HGET', meta, 'razed') ~= ARGV[1] then return 0 end
redis.call('HDEL', meta, 'razed')
redis.call('UNLINK', prefix .. 'fresh')

-- what meta holds of a queue that nobody has used
local CLOCK = {ms = true, seq = true, n = true, untold = true}
for _, field in ipairs(redis.call('HKEYS', meta)) do
  if not CLOCK[field] then return 1 end
end
local in_use = redis.call('EXISTS', prioritized, delayed, completed, failed, children,
                          prefix .. 'sched', prefix .. 'notices', prefix .. 'wks')
  + redis.call('XLEN', ready) + redis.call('XLEN', express) + #redis.call('XINFO', 'GROUPS', ev)
if in_use > 0 then return 1 end
redis.call('UNLINK', meta, ready, express, wake)
redis.call('PEXPIRE', ev, EVENT_MS)
return 1
