#!lua flags=allow-oom
--[[ latencies: count samples of waiting and running times, in windows of five minutes
KEYS  the queue's nine keys (include/keys.lua)
ARGV  per bucket two values: w<n> (waited) or r<n> (ran) about 2^(n/8) seconds, samples
Returns  the buckets of this window
Cost     O(buckets)          Crash  a repeat counts again ]]
--- @include keys
--- @include clock

local WINDOW_MS, KEEP_MS = 300000, 3900000
local window = prefix .. 'm:lat:' .. string.format('%.0f', math.floor(now / WINDOW_MS))
for i = 1, #ARGV, 2 do redis.call('HINCRBY', window, ARGV[i], ARGV[i + 1]) end
redis.call('PEXPIRE', window, KEEP_MS)
return redis.call('HLEN', window)
