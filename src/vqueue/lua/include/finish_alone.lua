--[[ Jobs that complete and are kept, while nothing but `ready` hands out jobs: what a worker sends
whose jobs are plain ones. They go a straight way, which spares two thirds of what the rest of the
script costs a job alone, and a fifth of ten. All else is left to the rest, with nothing written,
and so is what is rare: a lease that is lost or shorter than the queue's longest, jobs that are due,
the first end of a minute, events that are to be trimmed. ]]

-- Whether the consumer holds all of these entries; those of `express` have no such ids.
local function holds_alone(tokens, consumer)
  local is_held = {}
  if #tokens > 1 then
    local pending = redis.pcall('XPENDING', KEYS[2], 'workers', tokens[1], '+', #tokens, consumer)
    for i = 1, #pending do is_held[pending[i][1]] = true end
  end
  for i = 1, #tokens do
    local token = tokens[i]
    if not is_held[token] and
        #redis.pcall('XPENDING', KEYS[2], 'workers', token, token, 1, consumer) ~= 1 then
      return false
    end
  end
  return true
end

-- Values of jobs in ARGV from `first` on, four each: id, token, record, detail.
local function complete_alone(consumer, want, lease, first)
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
  local statuses, tokens, records, ends, told = {}, {}, {}, {}, {}
  for i = first, #ARGV, 4 do
    local id, at = ARGV[i], #ends
    statuses[#statuses + 1], tokens[#tokens + 1] = 1, ARGV[i + 1]
    records[at + 1], records[at + 2] = prefix .. 'j:' .. id, ARGV[i + 2]
    ends[at + 1], ends[at + 2] = now, id
    told[at + 1], told[at + 2] = id, ARGV[i + 3]
  end
  local count = #tokens
  if math.floor((n + want + count + 1) / cap) ~= math.floor(n / cap) then return end
  if not holds_alone(tokens, consumer) then return end -- the fence
  local due = due_alone(now)
  if due == now then return end
  local ended, minute = prefix .. 'm:completed', math.floor(now / 60000)
  if call('HINCRBY', ended, minute, count) == count then
    call('HDEL', ended, minute)
    return
  end

  if now > ms then ms, seq = now, 0 end
  local clock = ms .. '-'
  call('MSET', unpack(records))
  call('ZADD', KEYS[6], unpack(ends))
  local jobs, active, gone = take_ready(prefix .. 'j:', consumer, want)
  n = n + count
  call('HSET', meta, 'ms', ms, 'seq', seq + 3, 'n', n + #active / 2)
  call('XADD', ev, clock .. (seq + 1), 'e', 'completed', 'n', n - count + 1, unpack(told))
  if #active > 0 then
    call('XADD', ev, clock .. (seq + 2), 'e', 'active', 'n', n + 1, unpack(active))
  end
  for i = 1, #gone do tokens[count + i] = gone[i] end
  call('XACK', ready, 'workers', unpack(tokens))
  call('XDEL', ready, unpack(tokens))
  if #gone > 0 then call('ZADD', KEYS[8], 0, '0') end
  if #jobs == 0 and call('XLEN', ready) == 0 and call('XLEN', KEYS[3]) == 0 then
    local number = call('HINCRBY', meta, 'n', 1)
    call('XADD', ev, clock .. (seq + 3), 'e', 'drained', 'n', number, '', '')
  end
  return {now, statuses, jobs, due and due - now or -1}
end

if ARGV[4] == 'completed' and string.match(ARGV[5], '^[^|]*') == '-1 -1' and ARGV[2] ~= '0'
    and #ARGV == 6 + 4 * tonumber(ARGV[6]) then
  local reply = complete_alone(ARGV[1], tonumber(ARGV[2]), ARGV[3], 7)
  if reply then return reply end
end
