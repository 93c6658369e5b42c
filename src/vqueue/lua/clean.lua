#!lua flags=allow-oom
--[[ clean: any state but active → gone, for a page of the jobs in one state that are old enough.
The job that a scheduler has made and that waits stays, since it carries the schedule on.
KEYS  the queue's nine keys (include/keys.lua)
ARGV  state   (string)
      before  (ms; completed and failed jobs that ended until then, others that were added
              until then; '' for now)
      limit   (jobs to look at, 1..250)
      cursor  ('' for the first page, or as returned)
      told    ('1' to emit `cleaned`, 'look' to remove nothing and tell what would go)
      id …    (at most 100; if there are some, those of them that are in the state still,
              instead of a page)
Returns  {cursor of the next page or '', `before` as it counted, ids of removed jobs …}
Cost     O(limit log n)
Crash    what is gone is gone; a repeat goes on with what is still there ]]
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
--- @include tree
--- @include consumer_group
--- @include pages

local state, before, limit, cursor, told = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
before = tonumber(before) or now
reserve(0)
-- a cursor: the ms of the queue's clock at which the search began, and a cursor of include/pages.lua
local begun, last = string.match(cursor, '^(%d+) (.*)$')
begun = tonumber(begun) or clock.ms
local ids, next_cursor = {}, nil
if #ARGV == 5 then ids, next_cursor = page_of(state, last, limit, true) end
for i = 6, #ARGV do
  local record = record_of(ARGV[i])
  if record and standing_of(ARGV[i], place_of(record)) == state then ids[#ids + 1] = ARGV[i] end
end

local function is_old(id, job)
  local ended = (job[1] == 'c' or job[1] == 'f') and redis.call('ZSCORE', set_of(job[1]), id)
  return tonumber(ended or job.added) <= before
end

local refs, reply = {}, {'', before}
for _, id in ipairs(ids) do
  local job = load_job(id)
  local is_scheduled = job and state ~= 'completed' and state ~= 'failed'
    and string.find(job[4], '"scheduler"', 1, true)
  if job and not is_scheduled and is_old(id, job) then
    refs[#refs + 1] = ref_of(id)
    reply[#reply + 1] = id
  end
end
-- The search ends though jobs are added as fast as it goes on: what entered the line after it had
-- begun was not there. The groups come behind the line. What has ended is in the order by which it
-- is old.
local mark, at = string.match(next_cursor or '', '^([rz])(%d+)')
if mark == 'r' and tonumber(at) > begun then next_cursor = 'g' end
local is_by_age = state == 'completed' or state == 'failed'
if mark == 'z' and is_by_age and tonumber(at) > before then next_cursor = nil end
if next_cursor then reply[1] = string.format('%.0f %s', begun, next_cursor) end

if #refs > 0 and told ~= 'look' then
  remove_jobs(refs)
  if told == '1' then
    reserve(1)
    emit('cleaned', {'', #refs})
  end
end
return reply
