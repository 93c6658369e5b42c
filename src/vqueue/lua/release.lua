#!lua flags=allow-oom
--[[ release: active → front of the line, without counting an attempt, for the jobs that
a closing worker hands back; failed when they are cancelled. Wakes another worker, also when
there is no job.
KEYS  the queue's nine keys (include/keys.lua)
ARGV  consumer  (string)
      per job two values: id, entry
Returns  per job 1 released | 2 done before by this activation | 0 lease lost
Cost     O(k log n)          Crash  a repeat answers 2 ]]
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

local consumer = ARGV[1]
reserve(math.floor(#ARGV / 2) + 8)
local statuses, released, waiting = {}, {}, {}
-- the last one first: the front of the line grows backwards
for i = #ARGV - 1, 2, -2 do
  local id, entry = ARGV[i], ARGV[i + 1]
  local activation = entry .. ':' .. consumer
  local status = 0
  if held(entry, consumer) then
    table.insert(released, entry)
    local job = load_job(id)
    if job and job[1] == entry then
      status = 1
      job.by = activation
      local reason = cancel_reason(entry)
      if reason then
        job.made, job.begun = job.made + 1, job.begun + 1
        fail_now(id, job, reason, '-1 -1')
      else
        push_front(id, job)
        table.insert(waiting, id)
        table.insert(waiting, 'active')
      end
    end
  elseif ended_by(id, activation) then
    status = 2
  end
  table.insert(statuses, 1, status)
end
emit('waiting', waiting)
tell_failures()
if #notices > 0 then tell_parents(1) end
unlink_doomed()
drop(released)
tell_drained()
arm()
return statuses
