--[[ The clock of a queue: one growing series of ids for the entries of both lanes
and for events, so that a fence and a version never repeat, whatever the stream.
An id is max(server time, last id)-seq. Ids are reserved before the first write:
a script that breaks off half way leaves unused ids behind, never a smaller one. ]]
local TIME = redis.call('TIME')
local now = TIME[1] * 1000 + math.floor(TIME[2] / 1000)
local clock -- ms, seq, prefix ('<ms>-')

-- A script calls this once, before its first write, with the most ids it may mint.
-- With 0 it only learns the time and the settings.
local function reserve(count)
  local state = redis.call('HMGET', meta, 'ms', 'seq', 'events_cap', 'lease', 'gate', 'sched',
                           'flows', 'groups', 'buried', 'razed', 'partials')
  local ms, seq = tonumber(state[1]), tonumber(state[2])
  Q = {events_cap = tonumber(state[3]) or 10000, longest_lease = tonumber(state[4]),
       gate = state[5] or '', schedule_due = tonumber(state[6]), has_flows = state[7],
       has_groups = state[8], last_buried = tonumber(state[9]), razed = state[10],
       partials_until = tonumber(state[11])}
  local new = not ms
  if new then ms, seq = start_clock() end
  if now > ms then ms, seq = now, 0 end
  if seq + count >= 1048576 then ms, seq = ms + 1, 0 end
  clock = {ms = ms, seq = seq, prefix = string.format('%.0f-', ms)}
  if new or count > 0 then redis.call('HSET', meta, 'ms', ms, 'seq', seq + count) end
end

-- The sweep judges by the queue's longest lease. Whoever holds jobs says its own, not
-- only when it joins: meta may have been deleted since.
local function know_lease(lease)
  if lease > (Q.longest_lease or 0) then
    redis.call('HSET', meta, 'lease', lease)
    Q.longest_lease = lease
  end
end

local function mint()
  clock.seq = clock.seq + 1
  return clock.prefix .. clock.seq
end

--- @later
-- meta is new, or was deleted: never fall behind what the streams already hold
local function start_clock()
  local ms, seq = 0, 0
  local was_open = redis.call('EXISTS', ready, express) > 0
  for _, stream in ipairs({ready, express, ev}) do
    if redis.call('EXISTS', stream) == 1 then
      local info = redis.call('XINFO', 'STREAM', stream)
      for i = 1, #info, 2 do
        if info[i] == 'last-generated-id' then
          local last_ms, last_seq = string.match(info[i + 1], '(%d+)-(%d+)')
          last_ms, last_seq = tonumber(last_ms), tonumber(last_seq)
          if last_ms > ms or (last_ms == ms and last_seq > seq) then
            ms, seq = last_ms, last_seq
          end
        end
      end
    end
  end
  -- what only meta told is looked for from now on
  if was_open then
    redis.call('HSET', meta, 'flows', 1, 'groups', 1)
    Q.has_flows, Q.has_groups = '1', '1'
  end
  -- the events of an obliteration, which nobody has followed: their numbers go on
  if redis.call('PERSIST', ev) == 1 then
    local last = redis.call('XREVRANGE', ev, '+', '-', 'COUNT', 1)[1][2]
    local count = (#last - 4) / 2 * (last[2] == 'added,waiting' and 2 or 1)
    redis.call('HSET', meta, 'n', last[4] + count - 1)
  end
  redis.pcall('XGROUP', 'CREATE', ready, GROUP, '0', 'MKSTREAM')
  redis.pcall('XGROUP', 'CREATE', express, GROUP, '0', 'MKSTREAM')
  return ms, seq
end
