#!lua flags=allow-oom
--[[ remove: any state but active → gone, with its log and what it reported, and with its
children if asked; its parents wait for it no more
KEYS  the queue's nine keys (include/keys.lua)
ARGV  id        (string)
      with_children  ('1' with all that is under it and has no other parent, else '0')
Returns  1 removed | nil no such job | refused: 'active' it is held by a worker, or one under
         it is | 'many' more than 250 jobs are under it, or so many that they are not counted
Cost     O(k log n), k jobs          Crash  a repeat answers nil
Leaves no tombstone: whoever removes a job by hand may add its id again at once. ]]
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

local id, with_children = ARGV[1], ARGV[2] == '1'
local job = load_job(id)
local state = job and standing_of(id, job[1])
if not state then return nil end
if state == 'active' then return state end
reserve(0)
local root = ref_of(id)
local doomed, obstacle = {root}, nil
if Q.has_flows and with_children then
  doomed, obstacle = tree_of(root, {})
  enter(home)
end
if obstacle then return obstacle end
remove_jobs(doomed, {[root] = true})
return 1
