#!lua flags=allow-oom
--[[ cancel: any state but active → failed; the worker of an active job is told to end it
KEYS  the queue's nine keys (include/keys.lua)
ARGV  id      (string)
      reason  (JSON string)
Returns  1 it has failed | nil no such job | 'active' its worker is told, or 'completed',
         'failed': nothing was done
Cost     O(log n)          Crash  a repeat answers what has become of it ]]
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
--- @include consumer_group
--- @include gate
--- @include enter
--- @include dedup
--- @include flow
--- @include failing
--- @include cancel

local id, reason = ARGV[1], ARGV[2]
local job = load_job(id)
local state = job and standing_of(id, job[1])
if not state or state == 'completed' or state == 'failed' then return state end
reserve(8)
if state == 'active' then
  redis.call('HSET', cancels_key(), job[1], reason)
  if not any_cancelled() then set_gate('c', true) end
  return state
end
leave(id, job[1])
fail_now(id, job, reason, '-1 -1', state)
tell_failures()
if #notices > 0 then tell_parents(1) end
unlink_doomed()
if state == 'waiting' or state == 'prioritized' then tell_drained() end
return 1
