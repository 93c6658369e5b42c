#!lua
--[[ add_flow: new → waiting-children for parents, waiting, prioritized or delayed for the
others: jobs of a tree or of several, in any queues of one server, all or none; waiting
or prioritized → waiting-children for parents that were there
KEYS  the queue's nine keys (include/keys.lua), of any one of the queues
ARGV  holder    (ref of the running job that adds children to itself, or '')
      token, consumer  (of its activation)
      per job seven values, parents before their children:
        ref      (<queue>:<id>)
        rest     (the record's lines from the third on, include/record.lua)
        delay    (ms from now; that of a parent stands in its options)
        place    ('0' back of the line, 'lifo', or a priority of 1..2097151)
        name     (string)
        waits    ('1' for a parent of jobs of this call, else '0')
        parents  (refs with a space between, or '')
Returns  the positions (from 1) of the jobs that were there, or were removed less than ten
         minutes ago: nothing was changed but that their parents wait for them
Errors   OOM        the server is full: the script is refused before its first write
         LEASELOST  the holder does not run under this token
         NOPARENT   a new job's parent does not exist or has ended
Cost     O(k log n), k jobs and their parents, at most 250 in a call
Crash    a repeat with the same ids adds what is missing, and counts no child twice ]]
--- @include keys
--- @include clock
--- @include events
--- @include record
--- @include moving
--- @lazy groups
--- @include lanes
--- @include pushing
--- @include standing
--- @include retention
--- @include enter
--- @include dedup
--- @include flow

local holder, token, consumer = ARGV[1], ARGV[2], ARGV[3]
local nodes, by_ref, queues, nodes_of = {}, {}, {}, {}
for i = 4, #ARGV, 7 do
  local queue, id = string.match(ARGV[i], '^([^:]+):(.+)$')
  local node = {ref = ARGV[i], id = id, rest = ARGV[i + 1], delay = tonumber(ARGV[i + 2]),
                place = ARGV[i + 3], name = ARGV[i + 4], waits = ARGV[i + 5] == '1',
                parents = {}}
  for parent in string.gmatch(ARGV[i + 6], '[^ ]+') do table.insert(node.parents, parent) end
  if not nodes_of[queue] then
    nodes_of[queue] = {}
    table.insert(queues, queue)
  end
  table.insert(nodes, node)
  table.insert(nodes_of[queue], node)
  by_ref[node.ref] = node
end

-- check
if holder ~= '' then
  local id = enter_queue_of(holder)
  if not (held(token, consumer) and stands_at(id, token)) then
    return redis.error_reply('LEASELOST job ' .. holder .. ' is not running under this token')
  end
end

for _, queue in ipairs(queues) do
  enter(prefix_of(queue))
  -- the ids that are there already: mostly none, which one look tells for all
  local keys, mine = {}, nodes_of[queue]
  for k, node in ipairs(mine) do keys[k] = job_key(node.id) end
  local some_exist = redis.call('EXISTS', unpack(keys)) > 0
  local some_are_buried = redis.call('HEXISTS', meta, 'buried') == 1
  for k, node in ipairs(mine) do
    node.exists = some_exist and exists(node.id)
    node.is_stale = some_exist and not node.exists and redis.call('EXISTS', keys[k]) == 1
    node.is_gone = not node.exists and some_are_buried
      and is_buried(node.id)
    node.is_new = not node.exists and not node.is_gone
  end
end
local duplicates = {}
for k, node in ipairs(nodes) do
  if not node.is_new then table.insert(duplicates, k) end
end

-- Whether a job can get children: one of this call, or one that has not ended.
local known = {} -- what was found of jobs that are not new
local function may_wait(ref)
  if by_ref[ref] and by_ref[ref].is_new then return true end
  if known[ref] == nil then
    local id = enter_queue_of(ref)
    local record = record_of(id)
    local place = record and exists(id) and place_of(record)
    known[ref] = place and place ~= 'c' and place ~= 'f' or false
  end
  return known[ref]
end

for _, node in ipairs(nodes) do
  for _, parent in ipairs(node.is_new and node.parents or {}) do
    if not may_wait(parent) then
      return redis.error_reply('NOPARENT job ' .. parent .. ' does not exist or has ended')
    end
  end
end

-- write
-- Put a new job into its place; return the event of that and its detail.
local function place_node(node)
  if node.waits then
    if group_of(string.match(node.rest, '^[^\n]*\n([^\n]*)')) then begin_groups() end
    redis.call('ZADD', children, now, node.id)
    redis.call('SET', job_key(node.id), string.format(
      'w\n%.0f 0 0 0 0 %.0f \n%s', tonumber(node.place) or 0, now, node.rest))
    return 'waiting-children', ''
  end
  enter_line(node.id, node.delay, node.place, node.rest)
  if node.delay > 0 then return 'delayed', now + node.delay end
  return 'waiting', ''
end

-- single jobs cost their queue nothing more when they end
local function is_in_flow(nodes_)
  for _, node in ipairs(nodes_) do
    if node.waits or #node.parents > 0 then return true end
  end
  return false
end

for _, queue in ipairs(queues) do
  enter(prefix_of(queue))
  reserve(#nodes_of[queue] + 8)
  if is_in_flow(nodes_of[queue]) then redis.call('HSET', meta, 'flows', 1) end
  local events = {added = {}, waiting = {}, delayed = {}, duplicated = {},
                  ['waiting-children'] = {}}
  for _, node in ipairs(nodes_of[queue]) do
    local kind, detail = 'duplicated', ''
    if node.is_new then
      if node.is_stale then
        -- parents that get this job instead do not hear that the other one is gone
        if #node.parents > 0 then
          redis.call('SREM', par_key(node.id), unpack(node.parents))
        end
        forget(node.id)
      end
      kind, detail = place_node(node)
      table.insert(events.added, node.id)
      table.insert(events.added, node.name)
      if #node.parents > 0 then
        redis.call('SADD', par_key(node.id), unpack(node.parents))
      end
    end
    table.insert(events[kind], node.id)
    table.insert(events[kind], detail)
  end
  for _, kind in ipairs({'added', 'waiting-children', 'waiting', 'delayed', 'duplicated'}) do
    emit(kind, events[kind])
  end
  if #events.waiting + #events.delayed > 0 then arm() end
end

-- Have parents wait for their children, those of one parent together. Returns, per child that was
-- there, the parents that have not heard of its end yet; and the parents.
local function join_children()
  local parents, children_of, joined = {}, {}, {}
  for _, node in ipairs(nodes) do
    for _, parent in ipairs(node.parents) do
      if node.is_new or may_wait(parent) then
        if not children_of[parent] then
          children_of[parent] = {}
          table.insert(parents, parent)
        end
        table.insert(children_of[parent], node.ref)
      end
    end
  end
  for _, parent in ipairs(parents) do
    local id = enter_queue_of(parent)
    local is_new = by_ref[parent] and by_ref[parent].is_new
    local refs, heard_of = children_of[parent], {}
    if not is_new then
      redis.call('HSET', meta, 'flows', 1)
      for _, part in ipairs({':vals', ':ign', ':bad'}) do
        local told = redis.call('HMGET', job_key(id) .. part, unpack(refs))
        for k, ref in ipairs(refs) do heard_of[ref] = heard_of[ref] or told[k] end
      end
    end
    local unheard = {}
    for _, ref in ipairs(refs) do
      if not heard_of[ref] then
        table.insert(unheard, ref)
        if not by_ref[ref].is_new then
          joined[ref] = joined[ref] or {}
          table.insert(joined[ref], parent)
        end
      end
    end
    if #unheard > 0 then redis.call('SADD', deps_key(id), unpack(unheard)) end
  end
  return joined, parents
end

-- a child that has ended counts at once
local function note_if_ended(node, parents)
  local kind, value = 'gone', ''
  if not node.is_gone then
    local id = enter_queue_of(node.ref)
    redis.call('SADD', par_key(id), unpack(parents))
    local record = record_of(id)
    kind = record and ({c = 'completed', f = 'failed'})[place_of(record)]
    if not kind then return end
    kind, value = told_of_end(kind, record)
  end
  for _, parent in ipairs(parents) do note(parent, node.ref, kind, value) end
end

-- A parent that stands in line waits for its children instead. One that is delayed will when it is
-- due, one that runs sees to that itself.
local function park_parent(ref)
  local id = enter_queue_of(ref)
  local job = redis.call('EXISTS', deps_key(id)) == 1 and load_job(id)
  local state = job and standing_of(id, job[1])
  if state ~= 'waiting' and state ~= 'prioritized' then return end
  reserve(1)
  leave(id, job[1])
  redis.call('ZADD', children, now, id)
  move(id, job, 'w')
  emit('waiting-children', {id, state})
end

local joined, parents = join_children()
for _, node in ipairs(nodes) do
  if joined[node.ref] then note_if_ended(node, joined[node.ref]) end
end
local TOLD_MAX = 25 -- the caller sees to the others
tell_parents(0, TOLD_MAX)
for _, parent in ipairs(parents) do park_parent(parent) end
return duplicates
