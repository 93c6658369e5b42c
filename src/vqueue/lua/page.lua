#!lua flags=no-writes
--[[ page: the jobs of one state, a page at a time, in the order in which they are taken,
come due or ended, or in the opposite one (active jobs always as they were taken)
KEYS  the queue's nine keys (include/keys.lua)
ARGV  state   (string)
      cursor  ('' for the first page, or as returned)
      limit   (jobs, 1..250)
      order   ('asc' or 'desc')
Returns  {cursor of the next page or '', id, what snapshot.lua tells of it, id, …}
Cost     O(log n + limit), plus the jobs that ended in the same millisecond as one that was
         the last of a page and has gone since
Crash    reads only ]]
--- @include keys
--- @include record
--- @include moving
--- @include events
--- @include standing
--- @include consumer_group
--- @include pages

local state, cursor, limit, order = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local ids, next_cursor = page_of(state, cursor ~= '' and cursor or nil, limit, order == 'asc')
local page = {next_cursor or ''}
for _, id in ipairs(ids) do
  page[#page + 1] = id
  page[#page + 1] = tell(id)
end
return page
