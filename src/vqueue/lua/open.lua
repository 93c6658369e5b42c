#!lua flags=allow-oom
--[[ open: a worker with this lease joins the queue; the queue's longest lease grows
KEYS  the queue's nine keys (include/keys.lua)
ARGV  lease    (ms)
      version  (of the library, for operators to see)
Returns  now (ms)
Cost     O(1)          Crash  a repeat changes nothing ]]
--- @include keys
--- @include clock

local lease, version = tonumber(ARGV[1]), ARGV[2]
reserve(0)
redis.call('HSET', meta, 'version', version)
know_lease(lease)
return now
