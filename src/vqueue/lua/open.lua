#!lua flags=allow-oom
--[[ open: a worker with this lease joins the queue; the queue's longest lease grows
KEYS  the queue's nine keys (include/keys.lua)
ARGV  lease  (ms)
Returns  now (ms)
Cost     O(1)          Crash  a repeat changes nothing ]]
--- @include keys
--- @include clock

local lease = tonumber(ARGV[1])
reserve(0)
know_lease(lease)
return now
