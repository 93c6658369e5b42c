#!lua flags=allow-oom
--[[ change_priority: waiting or prioritized → the same with another priority and place;
a delayed job gets its place when it is due, a parent when its children have ended
KEYS  the queue's nine keys (include/keys.lua)
ARGV  id        (string)
      priority  (0..2097151)
      lifo      ('1' before its equals, '0' behind them)
Returns  1 changed | nil no such job | its state, when that is active or final
Cost     O(log n)          Crash  a repeat places the job again ]]
--- @include keys
--- @include clock
--- @include events
--- @include record
--- @include moving
--- @lazy groups
--- @include lanes
--- @include pushing
--- @include standing

local id, priority, lifo = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1'
local job = load_job(id)
local state = job and standing_of(id, job[1])
if not state then return nil end
if state == 'active' or state == 'completed' or state == 'failed' then return state end
reserve(2)
job.priority = priority
if state == 'delayed' or state == 'waiting-children' then
  move(id, job, job[1])
else
  leave(id, job[1])
  if not lifo then
    push_back(id, job)
  elseif priority > 0 or Q.has_groups and group_of(job[4]) then
    push_front(id, job)
  else
    push_lifo(id)
    move(id, job, 'p')
  end
  arm()
end
emit('changed', {id, 'priority'})
return 1
