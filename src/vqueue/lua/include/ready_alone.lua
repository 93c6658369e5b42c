--[[ Handing out entries of `ready` on the straight ways of take and finish, see take_alone.lua. ]]

-- When the first delayed job is due (ms), `now` when that is past or jobs with a priority wait,
-- which go before; nothing when there are none of these.
local function due_alone(now)
  -- one command where there are neither
  if redis.call('EXISTS', KEYS[4], KEYS[5]) == 0 then return end
  if redis.call('ZCARD', KEYS[4]) > 0 then return now end
  local first = redis.call('ZRANGE', KEYS[5], 0, 0, 'WITHSCORES')
  return first[1] and math.max(now, math.floor(tonumber(first[2]) / 4096))
end

-- Hand out up to `want` entries. Returns the jobs flat (token, id, record), what their event
-- tells of them, and the entries whose job was removed by hand or stands elsewhere; nothing when
-- the group is missing.
local function take_ready(jobs_prefix, consumer, want)
  local jobs, active, gone = {}, {}, {}
  local reply = redis.pcall('XREADGROUP', 'GROUP', 'workers', consumer, 'COUNT', want,
                            'STREAMS', KEYS[2], '>')
  if reply and reply.err then return end
  if not reply then return jobs, active, gone end
  local entries, keys = reply[1][2], {}
  for i = 1, #entries do keys[i] = jobs_prefix .. entries[i][2][2] end
  local records = redis.call('MGET', unpack(keys))
  for i = 1, #entries do
    local token, id, record = entries[i][1], entries[i][2][2], records[i]
    if record and string.sub(record, 1, #token) == token then
      local at, event = #jobs, #active
      jobs[at + 1], jobs[at + 2], jobs[at + 3] = token, id, record
      active[event + 1], active[event + 2] = id, consumer
    else
      gone[#gone + 1] = token
    end
  end
  return jobs, active, gone
end
