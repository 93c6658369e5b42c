--[[ A plain job that is added alone: the commonest call of a producer, and the one whose time it
waits for. It goes a straight way, in seven commands and with nothing made for what other jobs
may need, for little more than half of what the rest of the script costs one job. What is rare is
left to the rest, with nothing written: a queue that is new, an id that exists or was removed
lately, events that are to be trimmed. ]]
local function add_alone(id, name, rest)
  local call, meta = redis.call, KEYS[1]
  local prefix = string.sub(meta, 1, -5)
  local time = call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local state = call('HMGET', meta, 'ms', 'seq', 'n', 'events_cap', 'gate', 'buried')
  local ms, seq, n = tonumber(state[1]), tonumber(state[2]), tonumber(state[3])
  local cap, gate, buried = tonumber(state[4]) or 10000, state[5], tonumber(state[6])
  if not (ms and n) or seq > 1048000 then return end
  if math.floor((n + 2) / cap) ~= math.floor(n / cap) then return end
  if buried and now - buried <= 600000 and call('EXISTS', prefix .. 'gone:' .. id) == 1 then
    return
  end
  if now > ms then ms, seq = now, 0 end
  local clock = ms .. '-'
  local entry = clock .. (seq + 1)
  local key = prefix .. 'j:' .. id
  if not call('SET', key, entry .. '\n\n' .. rest, 'NX') then return end
  call('HSET', meta, 'ms', ms, 'seq', seq + 2, 'n', n + 2)
  local minted = redis.pcall('XADD', KEYS[2], entry, 'j', id)
  if minted.err then
    call('DEL', key) -- or a repeat would find a job that nobody is handed
    return minted
  end
  call('XADD', KEYS[9], clock .. (seq + 2), 'e', 'added,waiting', 'n', n + 1, id, name)
  if not (gate and string.find(gate, 'p', 1, true)) then call('ZADD', KEYS[8], 0, '0') end
  return {{}, {}, {}}
end

if #ARGV == 6 and ARGV[1] == '0' and ARGV[2] == '0' then
  local reply = add_alone(ARGV[5], ARGV[3], ARGV[6])
  if reply then return reply end
end
