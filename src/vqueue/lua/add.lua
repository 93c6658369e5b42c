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
reserve(math.floor(argc / 2) + 8)

-- the ids that are taken: mostly none, which one look tells for all
local function find_taken(make_key)
  local ids, keys, at = {}, {}, 1
  while at < argc do
    local first = at + 4
    at = first + 2 * tonumber(ARGV[at + 3])
    for i = first, at - 1, 2 do
      ids[#ids + 1] = ARGV[i]
      keys[#keys + 1] = make_key(ARGV[i])
    end
  end
  local is_taken = {}
  if redis.call('EXISTS', unpack(keys)) > 0 then
    for i, key in ipairs(keys) do
      is_taken[ids[i]] = redis.call('EXISTS', key) == 1
    end
  end
  return is_taken
end

local is_taken = find_taken(job_key)
local is_buried = any_buried() and find_taken(tombstone_key) or {}

local duplicates, added, waiting, postponed, duplicated = {}, {}, {}, {}, {}
local records = {}

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

local at, position = 1, 0
while at < argc do
  local delay, place, name = tonumber(ARGV[at]), ARGV[at + 1], ARGV[at + 2]
  local first = at + 4
  at = first + 2 * tonumber(ARGV[at + 3])
  local is_plain = delay == 0 and place == '0'
  for i = first, at - 1, 2 do
    local id = ARGV[i]
    position = position + 1
    if is_taken[id] or is_buried[id] then
      duplicates[#duplicates + 1] = position
      duplicated[#duplicated + 1] = id
      duplicated[#duplicated + 1] = ''
    else
      is_taken[id] = true
      local lines
      if is_plain then
        local entry = mint()
        redis.call('XADD', ready, entry, 'j', id)
        lines = entry .. '\n\n'
      else
        lines = place_elsewhere(id, delay, place)
      end
      records[#records + 1] = jobs_prefix .. id
      records[#records + 1] = lines .. ARGV[i + 1]
      added[#added + 1] = id
      added[#added + 1] = name
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
