#!lua flags=allow-oom
--[[ promote: delayed → waiting or prioritized before its time; → waiting-children when it was given
children
KEYS  the queue's nine keys (include/keys.lua)
ARGV  most  (jobs, 1..250; what is due first goes first; read when no id is given)
      id    (string; one job, '' for as many as `most`)
Returns  the number of promoted jobs; for one job nil: no such job, or its state when
         that is not delayed
Cost     O(k log n)
Crash    a job leaves `delayed` last; a repeat promotes what is still there ]]
--- @include keys
--- @include clock
--- @include events
--- @include record
--- @include moving
--- @lazy groups
--- @include lanes
--- @include pushing
--- @include standing

local most, id = tonumber(ARGV[1]), ARGV[2]
local ids = {id}
if id == '' then
  ids = redis.call('ZRANGE', delayed, 0, most - 1)
else
  local record = record_of(id)
  local state = record and standing_of(id, place_of(record))
  if not state then return nil end
  if state ~= 'delayed' then return state end
end
if #ids == 0 then return 0 end
reserve(#ids + 2)
local told = {waiting = {}, parked = {}}
for _, due in ipairs(ids) do
  local job = load_job(due)
  if job and job[1] == 'd' then come_due(due, job, told) end
end
redis.call('ZREM', delayed, unpack(ids))
emit('waiting', told.waiting)
emit('waiting-children', told.parked)
arm()
return #ids
