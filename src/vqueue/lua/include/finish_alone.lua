--[[ A job that completes alone and is kept, while nothing but `ready` hands out jobs: what a
worker sends that has one slot, or little to do. It goes a straight way, for two thirds of what
the rest of the script costs one job. All else is left to the rest, with nothing written, and so
is what is rare: a lease that is lost or shorter than the queue's longest, jobs that are due, the
first end of a minute, events that are to be trimmed. ]]
local function complete_alone(consumer, want, lease, id, token, record, detail)
  local call, meta, ready, ev = redis.call, KEYS[1], KEYS[2], KEYS[9]
  local prefix = string.sub(meta, 1, -5)
  local time = call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local state = call('HMGET', meta, 'ms', 'seq', 'n', 'events_cap', 'lease', 'gate', 'flows',
                     'groups', 'sched')
  local ms, seq, n = tonumber(state[1]), tonumber(state[2]), tonumber(state[3])
  local cap = tonumber(state[4]) or 10000
  if state[6] or state[7] or state[8] or state[9] then return end
  if state[5] ~= lease or not (ms and n) or seq > 1048000 then return end
  if math.floor((n + want + 2) / cap) ~= math.floor(n / cap) then return end
  -- the fence: is the entry pending for this consumer? (those of `express` have no such id)
  if #redis.pcall('XPENDING', ready, 'workers', token, token, 1, consumer) ~= 1 then return end
  local due = due_alone(now)
  if due == now then return end
  local ended, minute = prefix .. 'm:completed', math.floor(now / 60000)
  if call('HINCRBY', ended, minute, 1) == 1 then
    call('HDEL', ended, minute)
    return
  end

  if now > ms then ms, seq = now, 0 end
  local clock = ms .. '-'
  call('SET', prefix .. 'j:' .. id, record)
  call('ZADD', KEYS[6], now, id)
  local jobs, active, gone = take_ready(prefix .. 'j:', consumer, want)
  call('HSET', meta, 'ms', ms, 'seq', seq + 3, 'n', n + 1 + #active / 2)
  call('XADD', ev, clock .. (seq + 1), 'e', 'completed', 'n', n + 1, id, detail)
  if #active > 0 then
    call('XADD', ev, clock .. (seq + 2), 'e', 'active', 'n', n + 2, unpack(active))
  end
  call('XACK', ready, 'workers', token, unpack(gone))
  call('XDEL', ready, token, unpack(gone))
  if #gone > 0 then call('ZADD', KEYS[8], 0, '0') end
  if #jobs == 0 and call('XLEN', ready) == 0 and call('XLEN', KEYS[3]) == 0 then
    local number = call('HINCRBY', meta, 'n', 1)
    call('XADD', ev, clock .. (seq + 3), 'e', 'drained', 'n', number, '', '')
  end
  return {now, {1}, jobs, due and due - now or -1}
end

if #ARGV == 10 and ARGV[4] == 'completed' and string.match(ARGV[5], '^[^|]*') == '-1 -1' and ARGV[2] ~= '0' then
  local reply = complete_alone(ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[7], ARGV[8], ARGV[9],
                               ARGV[10])
  if reply then return reply end
end
