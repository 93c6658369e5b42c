#!lua flags=allow-oom
--[[ pause: no job of the queue is taken any more, or jobs are taken again. Active jobs go
on, jobs are added as before, delayed ones come to wait.
KEYS  the queue's nine keys (include/keys.lua)
ARGV  paused  (1 or 0)
Returns  1 changed | 0 it was so before
Cost     O(1)          Crash  a repeat answers 0 ]]
--- @include keys
--- @include clock
--- @include events
--- @include record
--- @include moving
--- @lazy groups
--- @include lanes
--- @include pushing
--- @include consumer_group
--- @include gate

local paused = ARGV[1] == '1'
reserve(2)
if paused == is_paused() then return 0 end
set_gate('p', paused)
emit(paused and 'paused' or 'resumed', {'', ''})
if paused then redis.call('ZREM', wake, '0') else arm() end
return 1
