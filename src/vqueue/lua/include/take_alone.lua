--[[ A take while nothing but `ready` hands out jobs: what a worker sends that waits for them. It
goes a straight way, with nothing made for what other queues may need. All else is left to the
rest, with nothing written, and so is what is rare: a worker's own rate limit, a lease shorter
than the queue's longest, jobs that are due, events that are to be trimmed. ]]
local function take_alone(consumer, want, lease)
  local call, meta, ready = redis.call, KEYS[1], KEYS[2]
  local prefix = string.sub(meta, 1, -5)
  local time = call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local state = call('HMGET', meta, 'ms', 'seq', 'n', 'events_cap', 'lease', 'gate', 'groups',
                     'sched')
  local ms, seq, n = tonumber(state[1]), tonumber(state[2]), tonumber(state[3])
  local cap = tonumber(state[4]) or 10000
  if state[6] or state[7] or state[8] then return end
  if state[5] ~= lease or not (ms and n) or seq > 1048000 then return end
  if math.floor((n + want) / cap) ~= math.floor(n / cap) then return end
  local due = due_alone(now)
  if due == now then return end
  local jobs, active, gone = take_ready(prefix .. 'j:', consumer, want)
  if not jobs then return end

  if #active > 0 then
    if now > ms then ms, seq = now, 0 end
    call('HSET', meta, 'ms', ms, 'seq', seq + 1, 'n', n + #active / 2)
    call('XADD', KEYS[9], ms .. '-' .. (seq + 1), 'e', 'active', 'n', n + 1, unpack(active))
  end
  local is_armed = #gone > 0
  if is_armed then
    call('XACK', ready, 'workers', unpack(gone))
    call('XDEL', ready, unpack(gone))
  elseif #active == 2 * want then
    -- a wake-up is passed on while there is more to take
    local newest = call('XREVRANGE', ready, '+', '-', 'COUNT', 1)[1]
    is_armed = newest and newest[1] ~= jobs[#jobs - 2]
  end
  if is_armed then call('ZADD', KEYS[8], 0, '0') end
  return {now, jobs, due and due - now or -1}
end

if #ARGV == 3 and ARGV[2] ~= '0' then
  local reply = take_alone(ARGV[1], tonumber(ARGV[2]), ARGV[3])
  if reply then return reply end
end
