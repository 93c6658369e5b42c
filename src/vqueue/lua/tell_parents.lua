#!lua flags=allow-oom
--[[ tell_parents: waiting-children → waiting, prioritized, delayed or failed, for parents of
whose children earlier calls had more to tell than one call may (include/flow.lua)
KEYS  the queue's nine keys (include/keys.lua)
ARGV  none
Returns  1 when some are still to be told: call again | 0
Cost     O(p log n), p parents: at most 100
Crash    a repeat goes on ]]
--- @include keys
--- @include clock
--- @include events
--- @include record
--- @include moving
--- @lazy groups
--- @include lanes
--- @include pushing
--- @include retention
--- @include standing
--- @include enter
--- @include dedup
--- @include flow

reserve(0)
recall_notices(NOTICES_MAX)
if #notices > 0 then tell_parents(0) end
return redis.call('EXISTS', prefix .. 'notices')
