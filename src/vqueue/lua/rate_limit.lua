#!lua flags=allow-oom
--[[ rate_limit: no job of the queue is taken for a time, or the rate limit is forgotten
KEYS  the queue's nine keys (include/keys.lua)
ARGV  hold  (ms from now; 0 ends a hold and the window of the rate limit at once)
Returns  1
Cost     O(1)          Crash  a repeat holds from its own time on ]]
--- @include keys
--- @include clock
--- @include record
--- @include moving
--- @lazy groups
--- @include lanes
--- @include pushing
--- @include consumer_group
--- @include gate

local hold = tonumber(ARGV[1])
reserve(0)
hold_back(hold)
arm()
return 1
