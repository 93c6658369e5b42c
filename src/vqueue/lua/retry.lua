#!lua flags=allow-oom
--[[ retry: completed or failed → waiting or prioritized, with its own priority and without
what became of it before; → waiting-children when it has children that have not ended
KEYS  the queue's nine keys (include/keys.lua)
ARGV  from      ('completed' or 'failed')
      made      ('1' to count the attempts that ended anew)
      begun     ('1' to forget stalls, and starts that no attempt was spent on)
      before    (ms; only jobs that ended until then; '' for now)
      most      (jobs, 1..250; the first that ended go first; read when no id is given)
      id        (string; one job, '' for as many as `most`)
Returns  {the number of jobs that were retried, `before` as it counted, 1 when the call was
         cut short: call again}; for one job nil: no such job, or its state when that is not
         `from`
Cost     O(k log n + p), p parents and failed children, at most 100 and those of a last job,
         of which 500 parents and 250 children are looked at
Crash    a job leaves its set last; a repeat retries what is still there ]]
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
--- @include flow
--- @include rejoin

local from, made, begun, before, most, id = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local LOOKED_AT_MAX = 100
local set = from == 'completed' and completed or failed
before = tonumber(before) or now
local ids = {id}
if id == '' then
  ids = redis.call('ZRANGE', set, '-inf', before, 'BYSCORE', 'LIMIT', 0, most)
else
  local record = record_of(id)
  local state = record and standing_of(id, place_of(record))
  if not state then return nil end
  if state ~= from then return state end
end
if #ids == 0 then return {0, before, 0} end
reserve(#ids + 2)
local waiting, parked, left, looked_at, is_cut = {}, {}, {}, 0, 0

-- Returns whether all that has failed it is forgiven.
local function forgive(id)
  local forgiven = Q.has_flows and forgive_children(id) or 0
  looked_at = looked_at + forgiven
  return forgiven < FORGIVEN_MAX
end

for _, ended in ipairs(ids) do
  local job = load_job(ended)
  local is_there = job and set_of(job[1]) == set
  if looked_at >= LOOKED_AT_MAX or is_there and not forgive(ended) then
    is_cut = 1
    break
  end
  left[#left + 1] = ended
  if is_there then
    job[7], job[8], job.started = '', '', 0
    if made == '1' then job.made = 0 end
    if begun == '1' then job.begun, job.stalls = job.made, 0 end
    local told = waiting
    if Q.has_flows then looked_at = looked_at + rejoin_parents(ended) end
    if Q.has_flows and has_open_children(ended) then
      told = parked
      redis.call('ZADD', children, now, ended)
      move(ended, job, 'w')
    else
      push_back(ended, job)
    end
    told[#told + 1] = ended
    told[#told + 1] = from
  end
end
if #left > 0 then redis.call('ZREM', set, unpack(left)) end
emit('waiting', waiting)
emit('waiting-children', parked)
arm()
return {#left, before, is_cut}
