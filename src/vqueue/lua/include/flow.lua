--[[ Flows: parents that wait for their children, in this queue or in others on the same
server. A ref names a job of any queue: <queue>:<id>. Keys of a job in a flow:
  j:ID:par   SET   refs of a child's parents
  j:ID:deps  SET   refs of a parent's children that have not ended
  j:ID:vals  HASH  ref → result of a child that completed
  j:ID:ign   HASH  ref → why a child failed whose failure the parent ignores
  j:ID:bad   HASH  ref → why a child failed with which the parent fails
Without the field flows in meta a queue has none of them, and nobody looks.

A child that ends is noted; when the script has written all that is its own, the parents
are told. A child leaves `deps` once, so a notice is taken once, whatever is repeated, and
what the parent needs of it is copied: its retention is its own affair. At most 100 notices
go in one call, the others wait in `notices` for tell_parents.lua, which whoever has removed the
child calls, and each worker of the queue. A child with more parents than that is one notice, "+"
with the key of a set that they are moved to; they are taken from there. The key says when the child
was added, so that one that runs again meanwhile gets its parents back, and a later job of the
same id does not. ]]
local NOTICES_MAX = 100

local function par_key(id) return jobs_prefix .. id .. ':par' end
local function deps_key(id) return jobs_prefix .. id .. ':deps' end

local function ref_of(id) return string.match(prefix, '{(.*)}') .. ':' .. id end

local prefixes = {} -- by queue
local function prefix_of(queue)
  if not prefixes[queue] then
    prefixes[queue] = string.match(home, '^[^{]*') .. '{' .. queue .. '}:'
  end
  return prefixes[queue]
end

-- From here on the script works on another queue: call reserve before its first write there.
local function enter(key_prefix)
  if key_prefix == prefix then return end
  prefix = key_prefix
  meta, ready, express = prefix .. 'meta', prefix .. 'ready', prefix .. 'express'
  prioritized, delayed = prefix .. 'prioritized', prefix .. 'delayed'
  completed, failed = prefix .. 'completed', prefix .. 'failed'
  wake, ev = prefix .. 'wake', prefix .. 'ev'
  children, jobs_prefix = prefix .. 'children', prefix .. 'j:'
  Q.razed = nil
  is_noted = false
end

local function enter_queue_of(ref)
  local queue, id = string.match(ref, '^([^:]+):(.+)$')
  enter(prefix_of(queue))
  return id
end

-- Notices: {parent, child, what became of it, its result or reason (JSON)}.
local notices = {}

local function note(parent, child, kind, value)
  notices[#notices + 1] = {parent, child, kind, value}
end

local function count_notices() return #notices end

-- What a parent is told of a job that has completed or failed, by its record: kind and value.
local function told_of_end(kind, record)
  local job = job_of(record)
  if kind == 'failed' then
    kind = options_of(job).on_child_failure or 'fail'
  end
  return kind, job[7]
end

-- Leave the parents of a job to tell_parents.lua; the job itself may go. All that is left lies in
-- the queue that the script was called for, so that no other queue's end can take it along.
local function put_aside(id, kind, value, added)
  local key = home .. 'untold:' .. redis.call('HINCRBY', home .. 'meta', 'untold', 1) .. added
  redis.call('RENAME', par_key(id), key)
  redis.call('RPUSH', home .. 'notices', table.concat({'+' .. key, ref_of(id), kind, value}, '\n'))
end

-- Note for its parents that a job has completed or failed, as its record says.
local function note_ended(id, kind, record)
  local parents = redis.pcall('SCARD', par_key(id))
  if parents == 0 or type(parents) ~= 'number' then return end
  local told, value = told_of_end(kind, record)
  if #notices + parents > NOTICES_MAX then
    return put_aside(id, told, value, kind == 'gone' and '' or '-' .. job_of(record).added)
  end
  local ref = ref_of(id)
  for _, parent in ipairs(redis.call('SMEMBERS', par_key(id))) do note(parent, ref, told, value) end
end

-- What was kept beside a record may have been looked at before it, when it was no orphan yet.
local BESIDE = {':x', ':log', ':par', ':deps', ':vals', ':ign', ':bad'}

-- A job that is in no place goes, with all that is kept of it; its parents are told.
local function forget(id)
  local job = load_job(id)
  forget_owner(id, job and job[4] or '')
  note_ended(id, 'gone', '')
  redis.call('UNLINK', job_key(id), partials_key(id))
  for _, part in ipairs(BESIDE) do redis.call('UNLINK', job_key(id) .. part) end
end

-- Note that a job waits for its children now: they may have ended meanwhile.
local function note_parked(id) note(ref_of(id), '', 'parked', '') end

-- Note so many of the parents that were put aside. The child, if it is still there, gets them
-- back, and they hear what has become of it by now: nothing when it is to run again.
local ENDED = {c = 'completed', f = 'failed'}
local function recall_parents(most, key, child, kind, value)
  local parents = redis.call('SPOP', key, most)
  if #parents == 0 then return end
  local told, told_value, added = kind, value, string.match(key, '%-(%d+)$')
  local id = enter_queue_of(child)
  local record = added and record_of(id)
  local job = record and job_of(record)
  if job and job.added == added then
    redis.call('SADD', par_key(id), unpack(parents))
    told = ENDED[job[1]]
    if told then told, told_value = told_of_end(told, record) end
  end
  if told then
    for _, parent in ipairs(parents) do note(parent, child, told, told_value) end
  end
  enter(home)
  redis.call('LPUSH', prefix .. 'notices', table.concat({'+' .. key, child, kind, value}, '\n'))
end

-- Go on with what earlier calls have left over, until there are so many notices.
local function recall_notices(most)
  for _ = 1, 2 * most do
    local left = #notices < most and redis.call('LPOP', prefix .. 'notices')
    if not left then return end
    local parent, child, kind, value = string.match(left, '^(.-)\n(.-)\n(.-)\n(.*)$')
    if string.sub(parent, 1, 1) == '+' then
      recall_parents(most - #notices, string.sub(parent, 2), child, kind, value)
    else
      note(parent, child, kind, value)
    end
  end
end

-- What has become of the parents of one queue: pairs for the events, and keep rules.
local heard

-- waiting-children → waiting, prioritized or, when it has a delay, starts first, and has not waited
-- it out before it got more children, delayed
local function free(id, job)
  leave(id, job[1])
  local options = options_of(job)
  if options.delay and tonumber(job.begun) == 0
    and redis.call('HSET', live_key(id), 'w', 1) == 1 then
    local due = now + options.delay
    postpone(id, due)
    move(id, job, 'd')
    table.insert(heard.delayed, id)
    table.insert(heard.delayed, due)
    return
  end
  if options.lifo and options.group then
    push_front(id, job)
  elseif options.lifo then
    push_lifo(id)
    move(id, job, 'p')
  else
    push_back(id, job)
  end
  table.insert(heard.waiting, id)
  table.insert(heard.waiting, 'waiting-children')
end

local function failed_child(id)
  return redis.call('HRANDFIELD', jobs_prefix .. id .. ':bad')
end

-- Why a job may not complete (JSON), nothing when it may.
local function why_unfinished(id)
  if redis.call('EXISTS', deps_key(id), jobs_prefix .. id .. ':bad') == 0 then return nil end
  local child = failed_child(id)
  if child then return '"child ' .. child .. ' failed"' end
  return string.format('"%d children have not ended: raise WaitingChildrenError to wait for '
                       .. 'them, or call remove_unprocessed_children"',
                       redis.call('SCARD', deps_key(id)))
end

-- A parent fails with its child, without being started for it.
local function fail_parent(id, job, child)
  local prev = standing_of(id, job[1])
  leave(id, job[1])
  local options = options_of(job)
  local rule = options.remove_on_fail or '-1 -1'
  job[7] = '"child ' .. child .. ' failed"'
  local record = record_at('f', job)
  note_ended(id, 'failed', record)
  if options.deduplication then release_owner(options.deduplication, id) end
  table.insert(heard.failed, id)
  table.insert(heard.failed, failure_of(job, prev))
  if string.sub(rule, 1, 2) == '0 ' then
    redis.call('UNLINK', unpack(keys_of(id)))
    if any_partials() then drop_earlier_partials(id, job.added) end
    return bury(id, job.by)
  end
  redis.call('SET', job_key(id), record)
  redis.call('ZADD', failed, now, id)
  heard.rules[rule] = true
end

local PART_OF = {completed = ':vals', ignore = ':ign', continue = ':ign', fail = ':bad'}

-- A parent keeps what it needs of a child that has ended; what follows is decided when it has
-- heard of all its children.
local function hear(parent, child, kind, value)
  local id = string.match(parent, ':(.+)$')
  local account = heard.accounts[id]
  if account == nil then
    account = {job = load_job(id)}
    -- of a queue that is no more: it must not come to life again
    if account.job and is_bygone(id, account.job[1]) then account.job = nil end
    heard.accounts[id] = account
    if account.job then table.insert(heard.parents, id) end
  end
  if not account.job then return end
  if kind == 'parked' then
    account.failed_with = account.failed_with or failed_child(id)
    return
  end
  if redis.call('SREM', deps_key(id), child) == 0 then return end
  local part = PART_OF[kind]
  if part then redis.call('HSET', job_key(id) .. part, child, value) end
  if kind == 'fail' then account.failed_with = account.failed_with or child end
  if kind == 'continue' then account.goes_on = true end
end

local function judge_parent(id, account)
  local job = account.job
  local place = job[1]
  if account.failed_with then
    local is_held = entry_of(place) and consumer_of(place)
    if place ~= 'c' and place ~= 'f' and not is_held then
      fail_parent(id, job, account.failed_with)
    end
  elseif place == 'w' and (account.goes_on or redis.call('SCARD', deps_key(id)) == 0) then
    free(id, job)
  end
end

-- Tell the parents what was noted, then reserve ids for what the script does afterwards. `most`:
-- how many notices go in this call, NOTICES_MAX when it is missing.
local function tell_parents(afterwards, most)
  most = most or NOTICES_MAX
  local told, put_off = 0, {}
  while #notices > most do put_off[#put_off + 1] = table.remove(notices) end
  while #notices > 0 and told < most do
    local queue = string.match(notices[1][1], '^[^:]+:')
    local mine, others = {}, {}
    for _, notice in ipairs(notices) do
      local fits = told + #mine < most and string.sub(notice[1], 1, #queue) == queue
      table.insert(fits and mine or others, notice)
    end
    notices, told = others, told + #mine
    enter_queue_of(mine[1][1])
    reserve(2 * #mine + 12)
    heard = {failed = {}, waiting = {}, delayed = {}, rules = {}, accounts = {}, parents = {}}
    for _, notice in ipairs(mine) do hear(unpack(notice)) end
    for _, id in ipairs(heard.parents) do judge_parent(id, heard.accounts[id]) end
    for rule in pairs(heard.rules) do evict(failed, rule) end
    emit('failed', heard.failed)
    emit('waiting', heard.waiting)
    emit('delayed', heard.delayed)
    emit_entered()
    if #heard.waiting + #heard.delayed > 0 then arm() end
  end
  enter(home)
  local left = {}
  for i = #put_off, 1, -1 do left[#left + 1] = table.concat(put_off[i], '\n') end
  for _, notice in ipairs(notices) do left[#left + 1] = table.concat(notice, '\n') end
  for i = 1, #left, 1000 do
    redis.call('RPUSH', prefix .. 'notices', unpack(left, i, math.min(i + 999, #left)))
  end
  reserve(afterwards)
end
