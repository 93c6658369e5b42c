--[[ Entering the queue: a new job is put into its place and gets its record. ]]

-- Put a job that is not for the back of `ready` into its place; return its first lines.
local function place_elsewhere(id, delay, place)
  local priority = tonumber(place) or 0
  local letter = 'p'
  if delay > 0 then
    postpone(id, now + delay)
    letter = 'd'
  elseif priority > 0 then
    local order = 2147483648 + redis.call('HINCRBY', meta, 'back', 1)
    redis.call('ZADD', prioritized, priority * 4294967296 + order, id)
  else
    push_lifo(id)
  end
  return string.format('%s\n%.0f 0 0 0 0 %.0f \n', letter, priority, now)
end

-- One job, wherever it belongs, with its record.
local function enter_line(id, delay, place, rest)
  local first_lines
  local gid = group_of(string.match(rest, '^[^\n]*\n([^\n]*)'))
  if gid then begin_groups() end
  if gid and delay == 0 then
    local priority = tonumber(place) or 0
    local order = 2147483648
    if place == 'lifo' then
      order = order - redis.call('HINCRBY', meta, 'front', 1)
    else
      order = order + redis.call('HINCRBY', meta, 'back', 1)
    end
    first_lines = string.format('%s\n%.0f 0 0 0 0 %.0f \n',
                                join_group(gid, id, priority, order), priority, now)
  elseif delay == 0 and place == '0' then
    first_lines = redis.call('XADD', ready, mint(), 'j', id) .. '\n\n'
  else
    first_lines = place_elsewhere(id, delay, place)
  end
  redis.call('SET', job_key(id), first_lines .. rest)
end
