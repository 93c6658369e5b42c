#!lua
--[[ update_data: any state → the same, with other data
KEYS  the queue's nine keys (include/keys.lua)
ARGV  id        (string)
      data      (JSON)
      token     (the activation whose handler calls; '' for a call from outside)
      consumer  (who holds it; '' for a call from outside)
Returns  1 changed | nil no such job | 0 lease lost
Errors   OOM  the server is full: refused before the first write
Cost     O(1)          Crash  a repeat writes the same
The data of an active job go to its live hash: its record is written by its worker. ]]
--- @include keys
--- @include clock
--- @include events
--- @include record
--- @include moving
--- @lazy groups
--- @include lanes
--- @include pushing
--- @include standing

local id, data, token, consumer = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if token ~= '' and not (held(token, consumer) and stands_at(id, token)) then return 0 end
local job = load_job(id)
local state = job and standing_of(id, job[1])
if not state then return nil end
reserve(1)
if state == 'active' then
  redis.call('HSET', live_key(id), 'd', data)
else
  job[5] = data
  redis.call('HDEL', live_key(id), 'd')
  if job[2] == '' then -- it stands where it was added, with nothing after its data
    redis.call('SET', job_key(id), table.concat(job, '\n', 1, 5))
  else
    move(id, job, job[1])
  end
end
emit('changed', {id, 'data'})
return 1
