#!lua
--[[ add: new → waiting, prioritized or delayed, for many jobs in one call
KEYS  the queue's nine keys (include/keys.lua)
ARGV  per run of jobs with the same settings four values:
      delay  (ms from now, 0 for none)
      place  ('0' back of the line, 'lifo', or a priority of 1..2097151; with a '*' behind
             it when the jobs' options hold what concerns their adding: deduplication,
             group)
      name   (string)
      count  (jobs that follow, two values each)
        id    (string)
        rest  (the record's lines from the third on, include/record.lua)
Returns  {the positions (from 1) of the jobs that were duplicates: the id exists or was
         removed less than ten minutes after its end; nothing changed for them,
         {position, id, …} of jobs that were deduplicated, and the job that stands for each,
         the positions of jobs that were turned away, since their group was full, 1 when
         tell_parents.lua is needed}; of a plain job that came alone the first three
Errors   OOM  the server is full: the script is refused before its first write
Cost     O(k log n)
Crash    records are written last: what broke off is added by a repeat, which answers what
         was added as duplicates. A plain job that comes alone has its record first, and
         loses it again when its entry is refused ]]
--- @first add_alone
--- @include keys
--- @include clock
--- @include events
--- @include record
--- @lazy moving
--- @lazy groups
--- @include lanes
--- @lazy pushing
--- @lazy standing
--- @include retention
--- @lazy enter
--- @lazy dedup
--- @lazy flow

local argc = #ARGV

-- The jobs of the call: their runs, and their ids and keys in order.
local runs, ids, keys, at, any_delay = {}, {}, {}, 1, false
while at < argc do
  local first = at + 4
  local last = first + 2 * tonumber(ARGV[at + 3]) - 1
  runs[#runs + 1] = {delay = tonumber(ARGV[at]), place = ARGV[at + 1], name = ARGV[at + 2],
                     first = first, last = last}
  any_delay = any_delay or ARGV[at] ~= '0'
  for i = first, last, 2 do
    local id, k = ARGV[i], #ids + 1
    ids[k], keys[k] = id, jobs_prefix .. id
  end
  at = last + 1
end
reserve(#ids + 8)

-- the ids that are there already: mostly none, which one look tells for all
local is_taken, has_forgotten = {}, false
if redis.call('EXISTS', unpack(keys)) > 0 then
  for k, id in ipairs(ids) do
    is_taken[id] = exists(id)
    if not is_taken[id] and redis.call('EXISTS', keys[k]) == 1 then
      forget(id)
      has_forgotten = true
    end
  end
end
if any_buried() then
  for _, id in ipairs(ids) do
    is_taken[id] = is_taken[id] or is_buried(id)
  end
end

-- Events of jobs that were deduplicated, and of jobs that a newer one has replaced; and
-- what is to be returned of them.
local deduplicated, replaced, stand_ins = {}, {}, {}

-- positions of jobs whose group is full
local turned_away = {}

-- Whether a job may enter, by the options in its record. A group's size is judged when a job
-- is to enter its line, and never again: what was accepted is not refused later.
local function is_wanted(k, id, run, place, rest)
  local options = string.match(rest, '^[^\n]*\n([^\n]*)')
  local gid, max_size = string.match(options, '"group":{"id":"([^"]+)","max_size":(%d+)')
  if gid and run.delay == 0 then
    freshen_group(gid)
    if redis.call('ZCARD', line_key(gid)) >= tonumber(max_size) then
      turned_away[#turned_away + 1] = k
      return false
    end
  end
  local dedup = dedup_of(options)
  if not dedup then return true end
  local owner, gone = stand_in(dedup, id, run.delay, place, rest, run.name)
  if gone then
    if Q.has_flows then note_ended(gone, 'gone', '') end
    redis.call('UNLINK', partials_key(gone), unpack(keys_of(gone)))
    replaced[#replaced + 1] = gone
    replaced[#replaced + 1] = 'delayed'
  end
  if owner or gone then
    deduplicated[#deduplicated + 1] = owner or id
    deduplicated[#deduplicated + 1] = dedup.id .. ' ' .. (gone or id)
  end
  if not owner then return true end
  stand_ins[#stand_ins + 1] = k
  stand_ins[#stand_ins + 1] = owner
  return false
end

local call = redis.call
local duplicates, added, waiting, postponed, duplicated = {}, {}, {}, {}, {}
local records, k = {}, 0
for _, run in ipairs(runs) do
  local delay, place, name = run.delay, run.place, run.name
  local is_plain = delay == 0 and place == '0'
  local is_special = string.sub(place, -1) == '*'
  if is_special then place = string.sub(place, 1, -2) end
  for i = run.first, run.last, 2 do
    k = k + 1
    local id = ids[k]
    if is_taken[id] then
      duplicates[#duplicates + 1] = k
      duplicated[#duplicated + 1] = id
      duplicated[#duplicated + 1] = ''
    elseif not is_special or is_wanted(k, id, run, place, ARGV[i + 1]) then
      is_taken[id] = true
      if is_special then
        enter_line(id, delay, place, ARGV[i + 1]) -- the next one of this call may look at it
      else
        local r = #records + 1
        records[r] = keys[k]
        if is_plain then
          local entry = mint()
          call('XADD', ready, entry, 'j', id)
          records[r + 1] = entry .. '\n\n' .. ARGV[i + 1]
        else
          records[r + 1] = place_elsewhere(id, delay, place) .. ARGV[i + 1]
        end
      end
      local a = #added + 1
      added[a], added[a + 1] = id, name
      if delay > 0 then
        postponed[#postponed + 1] = id
        postponed[#postponed + 1] = now + delay
      elseif any_delay then
        waiting[#waiting + 1] = id
        waiting[#waiting + 1] = ''
      end
    end
  end
end

if #records > 0 then redis.call('MSET', unpack(records)) end
if any_delay then
  emit('added', added)
  emit('waiting', waiting)
  emit('delayed', postponed)
else
  emit('added,waiting', added, 2)
end
emit('duplicated', duplicated)
emit('removed', replaced)
emit('deduplicated', deduplicated)
if has_forgotten or #replaced > 0 and Q.has_flows then tell_parents(0) end
-- a delayed job wakes a worker too: its take tells it when the job is due
if #added > 0 then arm() end
local is_untold = (has_forgotten or #replaced > 0) and redis.call('EXISTS', prefix .. 'notices') or 0
return {duplicates, stand_ins, turned_away, is_untold}
