#!lua flags=allow-oom
--[[ repair: queue again, under new entries, the jobs whose entries were handed out and
are pending for nobody. That happens only when a consumer group or a consumer was
destroyed from outside. Also drops consumers that hold nothing and were silent, those of
event subscribers too.
KEYS  the queue's nine keys (include/keys.lua)
ARGV  silent  (ms after which a consumer without pending entries is dropped)
Returns  {jobs queued again, 1 when there is more to look at}
Cost     O(c), at most 100 entries a lane and call; the cursors live in meta
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

local silent, SCAN = tonumber(ARGV[1]), 100
reserve(2 * SCAN + 8)
local waiting, more = {}, 0

local function group_info(stream)
  local groups = redis.pcall('XINFO', 'GROUPS', stream)
  if groups.err then return end
  for _, info in ipairs(groups) do
    local group = {}
    for i = 1, #info, 2 do group[info[i]] = info[i + 1] end
    if group['name'] == GROUP then return group end
  end
end

local function drop_silent_consumers(stream, group)
  for _, info in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
    local consumer = {}
    for i = 1, #info, 2 do consumer[info[i]] = info[i + 1] end
    if consumer['pending'] == 0 and consumer['idle'] > silent then
      redis.call('XGROUP', 'DELCONSUMER', stream, group, consumer['name'])
    end
  end
end

for _, lane in ipairs({{ready, '', 'repair_ready'}, {express, 'x', 'repair_express'}}) do
  local stream, mark, field = lane[1], lane[2], lane[3]
  local group = group_info(stream)
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
    drop_silent_consumers(stream, GROUP)
  end
end
if redis.call('EXISTS', ev) == 1 then
  for _, info in ipairs(redis.call('XINFO', 'GROUPS', ev)) do
    drop_silent_consumers(ev, info[2])
  end
end
if more == 0 then redis.call('HDEL', meta, 'repair') end
emit('waiting', waiting)
if #waiting > 0 then arm() end
return {#waiting / 2, more}
