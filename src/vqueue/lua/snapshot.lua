#!lua flags=no-writes
--[[ snapshot: what the queue knows of some jobs, as of one version
KEYS  the queue's nine keys (include/keys.lua)
ARGV  id …  (job ids, at most 250)
Returns  {ms, seq of the newest version, per job false (unknown) or
         {state, consumer or '', ms (delayed: when it is due; finished: when it ended) or 0,
         record (include/record.lua), progress of a running job or '', data that was
         changed while it ran or '', why it stalled last (JSON) or ''}}
Cost     O(k log n)          Crash  reads only
Every later event has a larger id than the version. ]]
--- @include keys
--- @include record
--- @include moving
--- @include standing

local version = redis.call('HMGET', meta, 'ms', 'seq')
local jobs = {}
for k, id in ipairs(ARGV) do jobs[k] = tell(id) end
return {tonumber(version[1]) or 0, tonumber(version[2]) or 0, jobs}
