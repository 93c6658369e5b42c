#!lua flags=allow-oom
--[[ sched_refill: list more slots of a cron pattern
KEYS  the queue's nine keys (include/keys.lua)
ARGV  id     (string)
      tail   (ms: the last slot that was listed when the caller looked)
      slots  (ms …, in order, later than the tail)
      final  (1: none comes after them, 0)
Returns  1 listed | 0 another worker was first, or the scheduler has changed
Cost     O(log n + slots)          Crash  a repeat answers 0 ]]
--- @include keys
--- @include clock
--- @include events
--- @include record
--- @include moving
--- @lazy groups
--- @include lanes
--- @include pushing
--- @include standing
--- @include schedules

local id, tail, slots, final = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
reserve(8)
local s = load_scheduler(id)
if not s then
  redis.call('ZREM', tails, id)
  return 0
end
if s.tail ~= tail or s.final == '1' then return 0 end

s.slots, s.final = s.slots .. ' ' .. slots, final
if not s.slot then s.slot, s.at = slot_after(s, 0) end
local newest = string.match(slots, '(%d+)%s*$') or tail
redis.call('HSET', sched_key(id), 'tail', newest)
if s.final == '1' then
  redis.call('ZREM', tails, id)
else
  redis.call('ZADD', tails, newest, id)
end
save_scheduler(id, s, s.slot or NEVER)
note_next_slot()
arm()
return 1
