#!lua flags=no-writes
--[[ snapshot: what the queue knows of some jobs, as of one version
KEYS  the queue's nine keys (include/keys.lua)
ARGV  id …  (job ids, at most 250)
Returns  {ms, seq of the newest version, per job false (unknown) or
         {state, consumer or '', ms (delayed: when it is due; finished: when it ended) or 0,
         record (include/record.lua), progress of a running job or ''}}
Cost     O(k log n)          Crash  reads only
Every later event has a larger id than the version. ]]
--- @include keys
--- @include record

local SETS = {d = {delayed, 'delayed', 4096}, c = {completed, 'completed', 1},
              f = {failed, 'failed', 1}}

local function consumer_of(token)
  local stream, id = entry_of(token)
  local reply = redis.pcall('XPENDING', stream, GROUP, id, id, 1)
  return not reply.err and reply[1] and reply[1][2]
end

-- state, consumer, ms
local function standing_of(id, place)
  if place == 'p' then
    local score = tonumber(redis.call('ZSCORE', prioritized, id)) or 0
    return score < 4294967296 and 'waiting' or 'prioritized', '', 0
  end
  local set = SETS[place]
  if set then
    local score = tonumber(redis.call('ZSCORE', set[1], id)) or 0
    return set[2], '', math.floor(score / set[3])
  end
  if not entry_of(place) then return nil end
  local consumer = consumer_of(place)
  return consumer and 'active' or 'waiting', consumer or '', 0
end

local version = redis.call('HMGET', meta, 'ms', 'seq')
local jobs = {}
for k, id in ipairs(ARGV) do
  local record = record_of(id)
  local state, consumer, ms
  if record then state, consumer, ms = standing_of(id, place_of(record)) end
  if state then
    local progress = redis.pcall('HGET', live_key(id), 'g')
    jobs[k] = {state, consumer, ms, record, type(progress) == 'string' and progress or ''}
  else
    jobs[k] = false -- unknown, or not a record
  end
end
return {tonumber(version[1]) or 0, tonumber(version[2]) or 0, jobs}
