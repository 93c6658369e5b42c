#!lua flags=no-writes
--[[ snapshot: what the queue knows of some jobs, as of one version
KEYS  the queue's nine keys (include/keys.lua)
ARGV  id …  (job ids, at most 250)
Returns  {ms, seq of the newest version, per job false (unknown) or
         {state, consumer or '', due (ms, delayed only) or 0, {field, value …}}}
Cost     O(k)          Crash  reads only
Every later event has a larger id than the version. ]]
--- @include keys
--- @include lanes

local function consumer_of(token)
  local stream, id = lane_of(token)
  local reply = redis.pcall('XPENDING', stream, GROUP, id, id, 1)
  return not reply.err and reply[1] and reply[1][2]
end

local version = redis.call('HMGET', meta, 'ms', 'seq')
local jobs = {}
for _, id in ipairs(ARGV) do
  local fields = redis.pcall('HGETALL', job_key(id))
  local job = {}
  for i = 1, #fields, 2 do job[fields[i]] = fields[i + 1] end
  if not (job.n and (job.s or job.e)) then
    table.insert(jobs, false) -- unknown, or deleted by hand while it was active
  else
    local state, consumer, due = job.s, '', 0
    if state == 'prioritized' then
      local score = tonumber(redis.call('ZSCORE', prioritized, id)) or 0
      if score < 4294967296 then state = 'waiting' end
    elseif state == 'delayed' then
      due = math.floor((tonumber(redis.call('ZSCORE', delayed, id)) or 0) / 4096)
    elseif not state then
      consumer = consumer_of(job.e) or ''
      state = consumer ~= '' and 'active' or 'waiting'
    end
    table.insert(jobs, {state, consumer, due, fields})
  end
end
return {tonumber(version[1]) or 0, tonumber(version[2]) or 0, jobs}
