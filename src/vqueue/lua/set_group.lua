#!lua flags=allow-oom
--[[ set_group: change what holds for a group, or for all groups without a setting of their own
KEYS  the queue's nine keys (include/keys.lua)
ARGV  gid    (string, '' for all groups)
      start  (for all groups: how many have been looked at, 0 at first)
      per setting two values: its name (paused, concurrency, limit_max, limit_ms; hold: ms in
      which no job of the group is taken, 0 ends that and the window), and the value or ''
Returns  how many groups with a line have been looked at when there are more, else 0
Cost     O(log n), for all groups 100 at a time          Crash  a repeat sets the same again ]]
--- @include keys
--- @include clock
--- @include events
--- @include record
--- @include moving
--- @lazy groups
--- @include lanes
--- @include pushing

local gid, start = ARGV[1], tonumber(ARGV[2])
reserve(0)
begin_groups()
if gid ~= '' then freshen_group(gid) end
local key, field_prefix = group_key(gid), ''
if gid == '' then key, field_prefix = meta, 'group_' end
for i = 3, #ARGV, 2 do
  local name, value = ARGV[i], ARGV[i + 1]
  if name == 'hold' and value == '0' then
    redis.call('DEL', window_key(gid))
  elseif name == 'hold' then
    redis.call('SET', window_key(gid), 'held', 'PX', value)
  elseif value == '' then
    redis.call('HDEL', key, field_prefix .. name)
  else
    redis.call('HSET', key, field_prefix .. name, value)
  end
end
local PAGE = 100
local groups = {gid}
if gid == '' then groups = redis.call('ZRANGE', prefix .. 'groups', start, start + PAGE - 1) end
local is_open = false
for _, group in ipairs(groups) do is_open = look_at_group(group) or is_open end
if is_open then arm() end
return #groups == PAGE and start + PAGE or 0
