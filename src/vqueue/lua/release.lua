#!lua flags=allow-oom
--[[ release: active → front of the line, without counting an attempt, for the jobs that
a closing worker hands back. Wakes another worker, also when there is no job.
KEYS  the queue's nine keys (include/keys.lua)
ARGV  consumer  (string)
      per job two values: id, entry
Returns  per job 1 released | 2 done before by this activation | 0 lease lost
Cost     O(k log n)          Crash  a repeat answers 2 ]]
--- @include keys
--- @include clock
--- @include events
--- @include lanes

local consumer = ARGV[1]
reserve(8)
local statuses, released, waiting = {}, {}, {}
-- the last one first: the front of the line grows backwards
for i = #ARGV - 1, 2, -2 do
  local id, entry = ARGV[i], ARGV[i + 1]
  local key, activation = job_key(id), entry .. ':' .. consumer
  local status = 0
  local job = job_fields(id, 'n', 'p', 'z')
  if held(entry, consumer) then
    table.insert(released, entry)
    if job then
      status = 1
      redis.call('HSET', key, 'z', activation)
      push_front(id, tonumber(job[2]) or 0)
      table.insert(waiting, id)
      table.insert(waiting, 'active')
    end
  elseif job and job[3] == activation then
    status = 2
  end
  table.insert(statuses, 1, status)
end
emit('waiting', waiting)
drop(released)
arm()
return statuses
