#!lua flags=no-writes
--[[ explain: where a job is, and all that may keep it from running
KEYS  the queue's nine keys (include/keys.lua)
ARGV  job_id  (string)
Returns  {now (ms), place (first line of the record, '' for an unknown job), ms (when a
         delayed job is due or a finished one has ended, 0 for others), consumer of an active
         job or '', ms until its lease runs out, jobs in front of a waiting one (at most 1000
         of those without priority are counted), active jobs, settings of the gate
         (include/gate.lua) as names and values, of a job in a group {group, its active jobs, '1' when it is paused, ms at which its
         rate limit ends or 0, 1 when it gets a turn}}
Cost     O(log n), and the counted jobs          Crash  reads only ]]
--- @include keys
--- @include record
--- @include moving
--- @include standing
--- @include consumer_group

local job_id = ARGV[1]
local COUNTED, LINE_END = 1000, 4294967296
local SETTINGS = {'gate', 'concurrency', 'limit_max', 'limit_ms', 'held_until', 'window_end',
                  'window_used', 'lease'}
local TIME = redis.call('TIME')
local now = TIME[1] * 1000 + math.floor(TIME[2] / 1000)

local function last_delivered(stream)
  local group = group_of_lane(stream)
  return group and group['last-delivered-id'] or '0-0'
end

local function in_front_of_entry(id)
  local before = redis.call('XRANGE', ready, '(' .. last_delivered(ready), '(' .. id,
                            'COUNT', COUNTED)
  return #before + redis.call('ZCOUNT', prioritized, '-inf', '(' .. LINE_END)
end

local function in_front_of_marked(id)
  local score = tonumber(redis.call('ZSCORE', prioritized, id) or 0)
  local before = redis.call('ZCOUNT', prioritized, '-inf', '(' .. string.format('%.0f', score))
  if score < LINE_END then return before end
  return before + redis.call('XLEN', ready) - pending_of(ready)
end

local function standing_of_group(gid)
  local own = redis.call('HMGET', prefix .. 'gs:' .. gid, 'active', 'paused')
  local rests_until = tonumber(redis.call('ZSCORE', prefix .. 'resting', gid) or 0)
  local has_turn = redis.call('ZSCORE', prefix .. 'ring', gid) and 1 or 0
  return {gid, tonumber(own[1]) or 0, own[2] or '', rests_until, has_turn}
end

local SETS = {d = {delayed, 4096}, c = {completed, 1}, f = {failed, 1}}
local record = record_of(job_id)
local place = record and exists(job_id) and place_of(record) or ''
local at, consumer, left, in_front, group = 0, '', 0, 0, {}
local set = SETS[place]
local values = redis.call('HMGET', meta, unpack(SETTINGS))
if set then
  at = math.floor((tonumber(redis.call('ZSCORE', set[1], job_id)) or 0) / set[2])
elseif place == 'p' then
  in_front = in_front_of_marked(job_id)
elseif string.byte(place) == 103 then
  local gid = string.sub(place, 2)
  group = standing_of_group(gid)
  in_front = redis.call('ZRANK', prefix .. 'g:' .. gid, job_id) or 0
elseif place ~= '' and entry_of(place) then
  local stream, id = entry_of(place)
  local held = redis.pcall('XPENDING', stream, GROUP, id, id, 1)
  if not held.err and held[1] then
    consumer, left = held[1][2], (tonumber(values[#SETTINGS]) or 0) - held[1][3]
  else
    in_front = in_front_of_entry(id)
  end
end

local settings = {}
for i, name in ipairs(SETTINGS) do
  if values[i] then
    settings[#settings + 1] = name
    settings[#settings + 1] = values[i]
  end
end

return {now, place, at, consumer, left, in_front, pending_of(ready) + pending_of(express), settings,
        group}
