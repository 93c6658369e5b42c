#!lua flags=allow-oom
--[[ remove: any state but active → gone, with its log and what it reported; its parents
wait for it no more
KEYS  the queue's nine keys (include/keys.lua)
ARGV  id  (string)
Returns  1 removed | nil no such job | 'active' refused: it is held by a worker
Cost     O(log n)          Crash  a repeat answers nil
Leaves no tombstone: whoever removes a job by hand may add its id again at once. ]]
--- @include keys
--- @include clock
--- @include events
--- @include record
--- @include lanes
--- @include standing
--- @include retention
--- @include flow
--- @include enter
--- @include dedup

local id = ARGV[1]
local job = load_job(id)
local state = job and standing_of(id, job[1])
if not state then return nil end
if state == 'active' then return state end
reserve(1)
leave(id, job[1])
forget_owner(id, job[4])
if has_flows then note_ended(id, 'gone', '') end
redis.call('UNLINK', unpack(keys_of(id)))
emit('removed', {id, state})
if #notices > 0 then tell_parents(0) end
return 1
