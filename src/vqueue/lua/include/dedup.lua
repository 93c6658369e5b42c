--[[ Deduplication. dd:DID names the owner of a deduplication id: the job that stands for
all that are added with it. Without a ttl it lives until the owner ends for good. dn:DID is
the newest job that was added while the owner ran, for keep_last, and names that owner: it enters
when the owner has ended or is removed, whatever has become of its key meanwhile, unless a newer one
was let in.
The option as stored: id, and where set ttl (ms), extend, replace, keep_last. ]]
local function owner_key(unique) return prefix .. 'dd:' .. unique end
local function next_key(unique) return prefix .. 'dn:' .. unique end

-- The option of a job by the options line of its record; nothing when it has none.
local function dedup_of(options)
  if not string.find(options, '"deduplication"', 1, true) then return nil end
  return cjson.decode(options).deduplication
end

local function own(dedup, id)
  mark_fresh('dd:' .. dedup.id)
  if dedup.ttl then
    redis.call('SET', owner_key(dedup.id), id, 'PX', dedup.ttl)
  else
    redis.call('SET', owner_key(dedup.id), id)
  end
end

-- Who owns the id, and its record's lines if there is such a job. A key without ttl whose
-- owner has ended counts as free: whoever ended it did not know of deduplication.
local function owner_of(dedup)
  local owner = redis.call('GET', owner_key(dedup.id))
  if not owner or is_stale('dd:' .. dedup.id) then return nil end
  local job = load_job(owner)
  if not dedup.ttl and (not job or job[1] == 'c' or job[1] == 'f') then return nil end
  return owner, job
end

local function has_started(job)
  return tonumber(job.begun) > 0 or (entry_of(job[1]) and consumer_of(job[1]))
end

-- A job asks to enter. Returns the owner that stands for it, or, when it may enter and is
-- the owner now, nothing and the delayed job that it replaces, whose keys the caller deletes.
local function stand_in(dedup, id, delay, place, rest, name)
  local owner, job = owner_of(dedup)
  if not owner then
    own(dedup, id)
    redis.call('DEL', next_key(dedup.id)) -- it is older
    return nil
  end
  if dedup.replace and job and job[1] == 'd' then
    leave(owner, 'd')
    redis.call('DEL', next_key(dedup.id))
    if dedup.ttl and not dedup.extend then
      redis.call('SET', owner_key(dedup.id), id, 'KEEPTTL')
    else
      own(dedup, id)
    end
    return nil, owner
  end
  if dedup.extend then own(dedup, owner) end
  if dedup.keep_last and job and has_started(job) then
    redis.call('HSET', next_key(dedup.id), 'id', id, 'delay', delay, 'place', place,
               'rest', rest, 'name', name, 'owner', owner)
  end
  return owner
end

local entered = {added = {}, waiting = {}, delayed = {}}

-- A job has ended for good, or is removed before: its key is free, but for a ttl of one that has
-- ended, and the newest job that was added meanwhile enters.
local function release_owner(dedup, id, is_removed)
  if is_stale('dd:' .. dedup.id) then return end -- what lies there is of a queue that is no more
  local owner, key = redis.call('GET', owner_key(dedup.id)), next_key(dedup.id)
  if owner and owner ~= id then return end
  if is_removed or not dedup.ttl then redis.call('DEL', owner_key(dedup.id)) end
  local told = redis.call('HMGET', key, 'id', 'delay', 'place', 'rest', 'name')
  local newest, delay, rest = told[1], tonumber(told[2]), told[4]
  if not newest then return end
  redis.call('DEL', key)
  if exists(newest) then return end
  own(dedup_of(string.match(rest, '^[^\n]*\n([^\n]*)')), newest)
  enter_line(newest, delay, told[3], rest)
  table.insert(entered.added, newest)
  table.insert(entered.added, told[5])
  local events = delay > 0 and entered.delayed or entered.waiting
  table.insert(events, newest)
  table.insert(events, delay > 0 and now + delay or '')
end

-- a job that has ended, or belongs to nothing, is removed
local function forget_owner(id, options)
  local dedup = dedup_of(options)
  if dedup and redis.call('GET', owner_key(dedup.id)) == id then
    redis.call('DEL', owner_key(dedup.id), next_key(dedup.id))
  end
end

local function emit_entered()
  if #entered.added == 0 then return end
  emit('added', entered.added)
  emit('waiting', entered.waiting)
  emit('delayed', entered.delayed)
  entered.added, entered.waiting, entered.delayed = {}, {}, {}
  arm()
end
