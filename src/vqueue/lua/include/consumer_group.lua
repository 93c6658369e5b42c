--[[ What the server knows of the consumer group of a lane. The summary of XPENDING would tell how
many entries are pending, too, but with a row for each consumer that holds some. ]]

-- By name, as XINFO GROUPS tells it; nothing when there is no such group.
local function group_of_lane(stream)
  local groups = redis.pcall('XINFO', 'GROUPS', stream)
  for _, info in ipairs(groups.err and {} or groups) do
    local group = {}
    for i = 1, #info, 2 do group[info[i]] = info[i + 1] end
    if group['name'] == GROUP then return group end
  end
end

local function pending_of(stream)
  local group = group_of_lane(stream)
  return group and group['pending'] or 0
end
