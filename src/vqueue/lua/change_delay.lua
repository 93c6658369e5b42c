#!lua flags=allow-oom
--[[ change_delay: delayed → delayed, due at another time
KEYS  the queue's nine keys (include/keys.lua)
ARGV  id     (string)
      delay  (ms from now)
Returns  1 changed | nil no such job | its state, when that is not delayed
Cost     O(log n)          Crash  a repeat counts the delay from its own moment ]]
--- @include keys
--- @include clock
--- @include events
--- @include record
--- @include moving
--- @lazy groups
--- @include lanes
--- @include pushing
--- @include standing

local id, delay = ARGV[1], tonumber(ARGV[2])
local record = record_of(id)
local state = record and standing_of(id, place_of(record))
if not state then return nil end
if state ~= 'delayed' then return state end
reserve(1)
postpone(id, now + delay)
emit('delayed', {id, now + delay})
-- a worker that sleeps until the former time learns the new one
arm()
return 1
