--[[ Pages of the jobs in one state, in the order in which they are taken, come due or ended.
A cursor is the place of the last job of the page before: z<score> <id> in a sorted set,
r<entry> in `ready`, x<entry> in `express`, g<group> z<score> <id> in the line of a group; g alone
stands before the first group. It stays good when that job has gone; when its group has, the lines
start anew. ]]

-- Between two scores of a sorted set, `high` not included; `last` is a cursor or nothing.
local function page_of_set(key, low, high, last, limit, is_rising)
  local score, id = string.match(last or '', '^z(%S+) (.*)$')
  local start
  if score and redis.call('ZSCORE', key, id) == score then
    start = redis.call(is_rising and 'ZRANK' or 'ZREVRANK', key, id) + 1
  elseif is_rising then
    start = redis.call('ZCOUNT', key, '-inf', '(' .. (score or low))
  else
    start = redis.call('ZCOUNT', key, score and '(' .. score or high, '+inf')
  end
  local found = redis.call(is_rising and 'ZRANGE' or 'ZREVRANGE', key, start,
                           start + limit - 1, 'WITHSCORES')
  local ids, cursor = {}, nil
  for i = 1, #found, 2 do
    local at = tonumber(found[i + 1])
    if at < low or at >= high then return ids, nil end
    cursor = 'z' .. found[i + 1] .. ' ' .. found[i]
    -- of a job that has gone, its equals before it were told
    local is_told = found[i + 1] == score and (found[i] < id) == is_rising
    if not is_told then ids[#ids + 1] = found[i] end
  end
  return ids, #found == limit * 2 and cursor or nil
end

-- Entries of `ready` that nobody has been handed.
local function page_of_line(last, limit, is_rising)
  local group = group_of_lane(ready)
  local delivered = group and group['last-delivered-id'] or '0-0'
  local entry = last and string.sub(last, 2)
  local entries
  if is_rising then
    if entry and id_less(delivered, entry) then delivered = entry end
    entries = redis.call('XRANGE', ready, '(' .. delivered, '+', 'COUNT', limit)
  else
    entries = redis.call('XREVRANGE', ready, entry and '(' .. entry or '+',
                         '(' .. delivered, 'COUNT', limit)
  end
  local ids = {}
  for i, found in ipairs(entries) do ids[i] = found[2][2] end
  return ids, #ids == limit and 'r' .. entries[limit][1] or nil
end

local function page_of_pending(stream, mark, last, limit)
  local from = last and '(' .. string.sub(last, 2) or '-'
  local pending = redis.pcall('XPENDING', stream, GROUP, from, '+', limit)
  if pending.err then return {} end
  local ids = {}
  for _, held_entry in ipairs(pending) do
    local entry = redis.call('XRANGE', stream, held_entry[1], held_entry[1])[1]
    if entry then ids[#ids + 1] = entry[2][2] end
  end
  return ids, #pending == limit and mark .. pending[limit][1] or nil
end

local FRONT, MOST = 4294967296, math.huge
local function in_set(key, low, high)
  return {'z', function(last, limit, is_rising)
    return page_of_set(key, low, high, last, limit, is_rising)
  end}
end

-- The lines of groups, one after the other, the shortest first, but not more than LINES_MAX: each
-- holds a job, unless its key was deleted by hand.
local LINES_MAX = 250
local function page_of_groups(last, limit, is_rising)
  local gid, within = string.match(last or '', '^g(%S+) (.*)$')
  local rank = gid and redis.call('ZRANK', prefix .. 'groups', gid)
  if not rank then rank, within = 0, nil end
  local ids = {}
  for _ = 1, LINES_MAX do
    gid = redis.call('ZRANGE', prefix .. 'groups', rank, rank)[1]
    if not gid then return ids, nil end
    local found, cursor = page_of_set(prefix .. 'g:' .. gid, -MOST, MOST, within, limit - #ids,
                                      is_rising)
    for _, id in ipairs(found) do ids[#ids + 1] = id end
    if cursor then return ids, 'g' .. gid .. ' ' .. cursor end
    rank, within = rank + 1, nil
  end
  gid = redis.call('ZRANGE', prefix .. 'groups', rank, rank)[1]
  return ids, gid and 'g' .. gid .. ' '
end

-- The parts that a state is made of, each with the mark of its cursors.
local function parts_of(state, is_rising)
  if state == 'waiting' then
    local front, line = in_set(prioritized, -MOST, FRONT), {'r', function(...) return page_of_line(...) end}
    local groups = {'g', function(...) return page_of_groups(...) end}
    return is_rising and {front, line, groups} or {groups, line, front}
  end
  if state == 'active' then
    return {{'r', function(last, limit) return page_of_pending(ready, 'r', last, limit) end},
            {'x', function(last, limit) return page_of_pending(express, 'x', last, limit) end}}
  end
  if state == 'prioritized' then return {in_set(prioritized, FRONT, MOST)} end
  local sets = {delayed = delayed, completed = completed, failed = failed,
                ['waiting-children'] = children}
  return {in_set(sets[state], -MOST, MOST)}
end

-- Returns at most `limit` ids, and the cursor of the next page or nothing.
local function page_of(state, cursor, limit, is_rising)
  local ids, parts = {}, parts_of(state, is_rising)
  local first = 1
  for k, part in ipairs(parts) do
    if cursor and part[1] == string.sub(cursor, 1, 1) then first = k end
  end
  for k = first, #parts do
    local found, last = parts[k][2](k == first and cursor or nil, limit - #ids, is_rising)
    for _, id in ipairs(found) do ids[#ids + 1] = id end
    if last then return ids, last end
  end
  return ids, nil
end
