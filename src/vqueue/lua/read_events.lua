#!lua flags=allow-oom
--[[ read_events: hand the next events to one consumer of a durable subscriber group and
notice when some are missing
KEYS  the queue's nine keys (include/keys.lua)
ARGV  group     (string)
      consumer  (string)
      budget    (events; reading stops at the first entry that reaches it)
Returns  {gap, end, entries as XRANGE returns them}; gap is the id at which events were
         found missing (they were trimmed, or the group is new) and stays until the
         group resynchronises and clears it with close_gap.lua; '' for none. end is an
         id: no event so far is beyond it, every later one is
Errors   TOOMANYGROUPS  the group is new, and there are 100 others
Cost     O(events)          Crash  entries stay pending for the consumer
Entries of one group are handed out in order by the server, so the number that must
come next is one value for all its consumers. ]]
--- @include keys
--- @include clock
--- @include events

local group, consumer, budget = ARGV[1], ARGV[2], tonumber(ARGV[3])
local next_field, gap_field = 'next:' .. group, 'gap:' .. group
-- events are trimmed by what the slowest of all groups still needs
local GROUPS_MAX = 100

local function join_at_the_end()
  local others = redis.pcall('XINFO', 'GROUPS', ev)
  if not others.err and #others >= GROUPS_MAX then
    return redis.error_reply('TOOMANYGROUPS there are ' .. #others .. ' others')
  end
  reserve(0)
  local last = string.format('%.0f-%.0f', clock.ms, clock.seq)
  redis.call('XGROUP', 'CREATE', ev, group, last, 'MKSTREAM')
  redis.call('HSET', meta, gap_field, last,
             next_field, (tonumber(redis.call('HGET', meta, 'n')) or 0) + 1)
end

local entries, read = {}, 0
local expected = tonumber(redis.call('HGET', meta, next_field))
while read < budget do
  local reply = redis.pcall('XREADGROUP', 'GROUP', group, consumer, 'COUNT', 8,
                            'STREAMS', ev, '>')
  if not reply then break end
  if reply.err then
    if not string.find(reply.err, 'NOGROUP', 1, true) then error(reply) end
    local refusal = join_at_the_end()
    if refusal then return refusal end
    break
  end
  for _, entry in ipairs(reply[1][2]) do
    local first, count = tonumber(entry[2][4]), (#entry[2] - 4) / 2
    if entry[2][2] == 'added,waiting' then count = count * 2 end
    if first ~= expected then redis.call('HSET', meta, gap_field, entry[1]) end
    expected = first + count
    read = read + count
    table.insert(entries, entry)
  end
  redis.call('HSET', meta, next_field, expected)
end
local clock = redis.call('HMGET', meta, gap_field, 'ms', 'seq')
return {clock[1] or '', (clock[2] or 0) .. '-' .. (clock[3] or 0), entries}
