--[[ The workers of a queue: `wks` ZSET consumer by the ms of its last word, wk:CONSUMER what it
said (JSON). And, when a job has stalled, what they had said of it: field s of its live hash. ]]
local REMEMBERED_MS = 3600000

local function workers_key() return prefix .. 'wks' end
local function worker_key(consumer) return prefix .. 'wk:' .. consumer end

-- those that said something in the last so many ms, at most 250, the latest first
local function known_workers(silent_ms)
  local found, known = redis.call('ZRANGE', workers_key(), '+inf', now - silent_ms, 'BYSCORE',
                                  'REV', 'LIMIT', 0, 250, 'WITHSCORES'), {}
  for i = 1, #found, 2 do
    local info = redis.call('GET', worker_key(found[i]))
    if info then
      table.insert(known, {consumer = found[i], seen = tonumber(found[i + 1]), info = info})
    end
  end
  return known
end

local words = {}

-- What a worker has said last of itself, and when; nothing of one that has not. The jobs that it
-- runs come last in it, and are most of it.
local function words_of(consumer)
  if words[consumer] then return words[consumer] end
  local info = redis.call('GET', worker_key(consumer))
  local told = info and cjson.decode((string.gsub(info, ',"running":.*', '}'))) or {}
  told.seen = tonumber(redis.call('ZSCORE', workers_key(), consumer) or nil)
  words[consumer] = told
  return told
end

-- Keep with the job why it counts as stalled. own_ms is its own lease, if it has one. Nobody may
-- know who had it: a server whose clock goes on inside a script can claim more than it has listed.
local function note_stall(id, consumer, is_dead, own_ms)
  local info = consumer and words_of(consumer) or {}
  local max_lag = type(info.max_loop_lag) == 'number' and info.max_loop_lag
  local limit = max_lag and info.loop_lag > max_lag and 'max_loop_lag' or 'lock_duration'
  redis.call('HSET', live_key(id), 's', cjson.encode({
    at = now, limit = is_dead and 'worker_death' or limit,
    lock_duration = own_ms or info.lock_duration, consumer = consumer,
    last_heartbeat = info.seen, loop_lag = info.loop_lag, host = info.host,
    pid = info.pid,
  }))
end
