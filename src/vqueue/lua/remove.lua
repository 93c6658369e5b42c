#!lua flags=allow-oom
--[[ remove: any state but active → gone, with its log and what it reported
KEYS  the queue's nine keys (include/keys.lua)
ARGV  id  (string)
Returns  1 removed | nil no such job | 'active' refused: it is held by a worker
Cost     O(log n)          Crash  a repeat answers nil
Leaves no tombstone: whoever removes a job by hand may add its id again at once. ]]
--- @include keys
--- @include clock
--- @include events
--- @include record
--- @include standing

local id = ARGV[1]
local job = load_job(id)
local state = job and standing_of(id, job[1])
if not state then return nil end
if state == 'active' then return state end
reserve(1)
leave(id, job[1])
redis.call('UNLINK', job_key(id), live_key(id), log_key(id))
emit('removed', {id, state})
return 1
