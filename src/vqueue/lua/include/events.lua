--[[ Events: one stream entry per call and kind. Fields: e kind, n number of its
first event, then one pair per event: job id, detail. The kind `added,waiting` stands for two
events of each job, one after the other, the detail being that of the first. Numbers are
contiguous over the queue, so a reader sees what it missed. The stream keeps between one and two
caps of events, more while a consumer group has not read them, up to 20 caps. ]]
-- What is counted by minute, in m:KIND: jobs that completed, failed or stalled, calls of a
-- running job that the fence has rejected. What is older than a day is summed up under `before` once an hour.
local MINUTES = 1440

local COUNTED = {completed = true, failed = true, stalled = true}

local function count_minute(kind, count)
  local key, minute = prefix .. 'm:' .. kind, math.floor(now / 60000)
  if redis.call('HINCRBY', key, minute, count) == count then forget_minutes(key, minute) end
end

-- each: events that a pair stands for, 1 unless it is given
local function emit(kind, pairs_, each)
  local count = #pairs_ / 2 * (each or 1)
  if count == 0 then return end
  local last = redis.call('HINCRBY', meta, 'n', count)
  local id = redis.call('XADD', ev, mint(), 'e', kind, 'n', last - count + 1, unpack(pairs_))
  if math.floor(last / Q.events_cap) ~= math.floor((last - count) / Q.events_cap) then
    trim_events(id, last)
  end
  if COUNTED[kind] then count_minute(kind, count) end
end

--- @later
local function id_less(a, b)
  local a_ms, a_seq = string.match(a, '(%d+)-(%d+)')
  local b_ms, b_seq = string.match(b, '(%d+)-(%d+)')
  a_ms, b_ms = tonumber(a_ms), tonumber(b_ms)
  if a_ms ~= b_ms then return a_ms < b_ms end
  return tonumber(a_seq) < tonumber(b_seq)
end

-- the oldest id that some consumer group still has to read or to acknowledge; there are at most
-- 100 groups, see read_events.lua
local function oldest_needed(floor)
  for _, info in ipairs(redis.call('XINFO', 'GROUPS', ev)) do
    local group = {}
    for i = 1, #info, 2 do group[info[i]] = info[i + 1] end
    local needed = group['last-delivered-id']
    if group['pending'] > 0 then
      needed = redis.call('XPENDING', ev, group['name'], '-', '+', 1)[1][1]
    end
    if id_less(needed, floor) then floor = needed end
  end
  return floor
end

-- called once per cap of events: drop what is older than the mark set one cap ago
local function trim_events(newest_id, newest_number)
  local floor = redis.call('HGET', meta, 'events_mark')
  redis.call('HSET', meta, 'events_mark', newest_id)
  if not floor then return end
  local oldest = redis.call('XRANGE', ev, '-', '+', 'COUNT', 1)[1]
  if oldest and newest_number - tonumber(oldest[2][4]) < Q.events_cap * 20 then
    floor = oldest_needed(floor)
  end
  redis.call('XTRIM', ev, 'MINID', '~', floor)
end

-- on the first count of a minute
local function forget_minutes(key, minute)
  if redis.call('HLEN', key) <= MINUTES + 60 then return end
  local flat, old, before = redis.call('HGETALL', key), {}, 0
  for i = 1, #flat, 2 do
    local at = tonumber(flat[i])
    if at and at <= minute - MINUTES and #old < 1000 then
      old[#old + 1] = flat[i]
      before = before + flat[i + 1]
    end
  end
  if #old == 0 then return end
  redis.call('HDEL', key, unpack(old))
  redis.call('HINCRBY', key, 'before', before)
end
