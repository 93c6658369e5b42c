#!lua flags=allow-oom
--[[ leave_events: forget a durable subscriber group, so that events are not kept for it
KEYS  the queue's nine keys (include/keys.lua)
ARGV  group  (string)
Returns  1 forgotten | 0 there is none
Cost     O(pending)          Crash  a repeat goes on ]]
--- @include keys

local group = ARGV[1]
redis.call('HDEL', meta, 'next:' .. group, 'gap:' .. group)
if redis.call('EXISTS', ev) == 0 then return 0 end
return redis.call('XGROUP', 'DESTROY', ev, group)
