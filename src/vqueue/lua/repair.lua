#!lua flags=allow-oom
--[[ repair: queue again, under new entries, the jobs whose entries were handed out and
are pending for nobody. That happens only when a consumer group or a consumer was
destroyed from outside.
KEYS  the queue's nine keys (include/keys.lua)
ARGV  none
Returns  {jobs queued again, 1 when there is more to look at}
Cost     O(log n), at most 100 entries a lane and call; the cursors live in meta
Crash    the new entry is written before the old one goes; the older one of two is
         dropped when it is taken, since the job's record names the newer ]]
--- @include keys
--- @include clock
--- @include events
--- @include record
--- @include moving
--- @lazy groups
--- @include lanes
--- @include pushing
--- @include consumer_group

local SCAN = 100
reserve(2 * SCAN + 8)
local waiting, more = {}, 0

for _, lane in ipairs({{ready, '', 'repair_ready'}, {express, 'x', 'repair_express'}}) do
  local stream, mark, field = lane[1], lane[2], lane[3]
  local group = group_of_lane(stream)
  if group then
    local from = redis.call('HGET', meta, field) or '-'
    local entries = redis.call('XRANGE', stream, from, group['last-delivered-id'],
                               'COUNT', SCAN)
    for _, entry in ipairs(entries) do
      local pending = redis.call('XPENDING', stream, GROUP, entry[1], entry[1], 1)
      if #pending == 0 then
        local id, token = entry[2][2], mark .. entry[1]
        local job = load_job(id)
        if job and job[1] == token then
          if mark == '' then push_back(id, job) else push_front(id, job) end
          table.insert(waiting, id)
          table.insert(waiting, 'active')
        end
        redis.call('XDEL', stream, entry[1])
        if Q.has_groups then end_turns({mark .. entry[1]}) end
      end
    end
    if #entries == SCAN then
      redis.call('HSET', meta, field, '(' .. entries[SCAN][1])
      more = 1
    else
      redis.call('HDEL', meta, field)
    end
  end
end
if more == 0 then redis.call('HDEL', meta, 'repair') end
emit('waiting', waiting)
if #waiting > 0 then arm() end
return {#waiting / 2, more}
