#!lua
--[[ add: new → waiting, prioritized or delayed, for many jobs in one call
KEYS  the queue's nine keys (include/keys.lua)
ARGV  per run of jobs with the same settings four values:
      delay  (ms from now, 0 for none)
      place  ('0' back of the line, 'lifo', or a priority of 1..2097151)
      name   (string)
      count  (jobs that follow, two values each)
        id    (string)
        rest  (the record's lines from the third on, include/record.lua)
Returns  the positions (from 1) of the jobs that were duplicates: the id exists or was
         removed less than ten minutes after its end; nothing changed for them
Errors   OOM  the server is full: the script is refused before its first write
Cost     O(k log n)
Crash    records are written last: what broke off is added by a repeat, which answers what
         was added as duplicates ]]
--- @include keys
--- @include clock
--- @include events
--- @include record
--- @include lanes
--- @include retention

local argc = #ARGV

-- The jobs of the call: their runs, and their ids and keys in order.
local runs, ids, keys, at = {}, {}, {}, 1
while at < argc do
  local first = at + 4
  local last = first + 2 * tonumber(ARGV[at + 3]) - 1
  runs[#runs + 1] = {delay = tonumber(ARGV[at]), place = ARGV[at + 1], name = ARGV[at + 2],
                     first = first, last = last}
  for i = first, last, 2 do
    local id, k = ARGV[i], #ids + 1
    ids[k], keys[k] = id, jobs_prefix .. id
  end
  at = last + 1
end
reserve(#ids + 8)

-- the ids that are there already: mostly none, which one look tells for all
local is_taken = {}
if redis.call('EXISTS', unpack(keys)) > 0 then
  for k, key in ipairs(keys) do is_taken[ids[k]] = redis.call('EXISTS', key) == 1 end
end
if any_buried() then
  for _, id in ipairs(ids) do
    is_taken[id] = is_taken[id] or redis.call('EXISTS', tombstone_key(id)) == 1
  end
end

-- Put a job that is not for the back of `ready` into its place; return its first lines.
local function place_elsewhere(id, delay, place)
  local priority = tonumber(place) or 0
  local letter = 'p'
  if delay > 0 then
    postpone(id, now + delay)
    letter = 'd'
  elseif priority > 0 then
    local order = 2147483648 + redis.call('HINCRBY', meta, 'back', 1)
    redis.call('ZADD', prioritized, priority * 4294967296 + order, id)
  else
    push_lifo(id)
  end
  return string.format('%s\n%.0f 0 0 0 0 %.0f \n', letter, priority, now)
end

local call = redis.call
local duplicates, added, waiting, postponed, duplicated = {}, {}, {}, {}, {}
local records, k = {}, 0
for _, run in ipairs(runs) do
  local delay, place, name = run.delay, run.place, run.name
  local is_plain = delay == 0 and place == '0'
  for i = run.first, run.last, 2 do
    k = k + 1
    local id = ids[k]
    if is_taken[id] then
      duplicates[#duplicates + 1] = k
      duplicated[#duplicated + 1] = id
      duplicated[#duplicated + 1] = ''
    else
      is_taken[id] = true
      local r = #records + 1
      records[r] = keys[k]
      if is_plain then
        local entry = mint()
        call('XADD', ready, entry, 'j', id)
        records[r + 1] = entry .. '\n\n' .. ARGV[i + 1]
      else
        records[r + 1] = place_elsewhere(id, delay, place) .. ARGV[i + 1]
      end
      added[r], added[r + 1] = id, name
      if delay > 0 then
        postponed[#postponed + 1] = id
        postponed[#postponed + 1] = now + delay
      else
        waiting[#waiting + 1] = id
        waiting[#waiting + 1] = ''
      end
    end
  end
end

if #records > 0 then redis.call('MSET', unpack(records)) end
emit('added', added)
emit('waiting', waiting)
emit('delayed', postponed)
emit('duplicated', duplicated)
-- a delayed job wakes a worker too: its take tells it when the job is due
if #added > 0 then arm() end
return duplicates
