#!lua
--[[ add: new → waiting, prioritized or delayed, for many jobs in one call
KEYS  the queue's nine keys (include/keys.lua)
ARGV  per job six values:
      id       (string)
      name     (string)
      data     (JSON)
      options  (JSON, '' when all are default)
      delay    (ms from now, 0 for none)
      place    ('0' back of the line, 'lifo', or a priority of 1..2097151)
Returns  per job 1 (added) or 0 (duplicated: the id exists or was removed less than
         ten minutes after its end; nothing changed)
Errors   OOM  the server is full: the script is refused before its first write
Cost     O(k log n)          Crash  a repeat answers 0 for what was added ]]
--- @include keys
--- @include clock
--- @include events
--- @include lanes

local statuses, added, waiting, postponed, duplicated = {}, {}, {}, {}, {}
reserve(#ARGV / 6 + 8)

for i = 1, #ARGV, 6 do
  local id, name, data, options = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local delay, place = tonumber(ARGV[i + 4]), ARGV[i + 5]
  local key = job_key(id)
  if redis.call('EXISTS', key, tombstone_key(id)) > 0 then
    table.insert(statuses, 0)
    table.insert(duplicated, id)
    table.insert(duplicated, '')
  else
    local fields = {'n', name, 'd', data, 't', now}
    if options ~= '' then
      table.insert(fields, 'o')
      table.insert(fields, options)
    end
    local priority = tonumber(place) or 0
    if priority > 0 then
      table.insert(fields, 'p')
      table.insert(fields, priority)
    end
    if delay > 0 then
      table.insert(fields, 's')
      table.insert(fields, 'delayed')
      redis.call('HSET', key, unpack(fields))
      local due = now + delay
      local order = redis.call('HINCRBY', meta, 'delays', 1) % 4096
      redis.call('ZADD', delayed, due * 4096 + order, id)
      table.insert(postponed, id)
      table.insert(postponed, due)
    else
      if priority > 0 or place == 'lifo' then
        redis.call('HSET', key, unpack(fields))
        if priority > 0 then push_back(id, priority) else push_lifo(id) end
      else
        table.insert(fields, 'e')
        table.insert(fields, redis.call('XADD', ready, mint(), 'j', id))
        redis.call('HSET', key, unpack(fields))
      end
      table.insert(waiting, id)
      table.insert(waiting, '')
    end
    table.insert(added, id)
    table.insert(added, name)
    table.insert(statuses, 1)
  end
end

emit('added', added)
emit('waiting', waiting)
emit('delayed', postponed)
emit('duplicated', duplicated)
-- a delayed job wakes a worker too: its take tells it when the job is due
if #added > 0 then arm() end
return statuses
