#!lua flags=allow-oom
--[[ sched_del: remove a job scheduler, and its job if that waits and was never begun
KEYS  the queue's nine keys (include/keys.lua)
ARGV  id  (string)
Returns  1 removed | 0 there is none
Cost     O(log n)          Crash  a repeat goes on ]]
--- @include keys
--- @include clock
--- @include events
--- @include record
--- @include moving
--- @lazy groups
--- @include lanes
--- @include pushing
--- @include standing
--- @include retention
--- @lazy enter
--- @lazy dedup
--- @lazy flow
--- @include schedules

local id = ARGV[1]
reserve(4)
local s = load_scheduler(id)
redis.call('ZREM', sched, id)
redis.call('ZREM', tails, id)
if s then
  withdraw(s.job)
  redis.call('UNLINK', sched_key(id))
end
note_next_slot()
if Q.has_flows then tell_parents(0) end
return s and 1 or 0
