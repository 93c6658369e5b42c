--[[ The record of a job, the string at j:ID, is made of lines:
  1  where the job is: <id> an entry of `ready`, x<id> an entry of `express`, p in
     `prioritized`, g<group> in the line of its group, d in `delayed`, w in `children`, c in
     `completed`, f in `failed`. The first two are also called tokens: they name an
     activation
  2  its history: priority, attempts made, attempts started, stalls, last start (ms, 0
     for never), added (ms), and the activation that was the last to end,
     <token>:<consumer>. Empty for a job that stands where it was added to `ready`
  3  name (JSON string)
  4  options (JSON, empty when all are default)
  5  data (JSON)
  6  progress (JSON) when an attempt ended
  7  result, or why the last attempt failed (JSON)
  8  stack traces of its attempts, the newest last (JSON strings in an array)
Lines at the end that are empty may be missing. JSON on the wire has no line breaks.
j:ID:x holds what came up while the job ran: g progress, ll last log number, w for a parent whose
delay has begun (include/flow.lua), d data that
was changed meanwhile, which counts instead of line 5 (the worker that ends the attempt
writes the record with the data that it was given). ]]

-- the stream and the id that a token stands for, nothing for another place
local function entry_of(place)
  local mark = string.byte(place)
  if mark >= 48 and mark <= 57 then return ready, place end
  if mark == 120 then return express, string.sub(place, 2) end
end

--- @later
local function record_of(id)
  local record = redis.pcall('GET', job_key(id))
  return type(record) == 'string' and record or nil
end

local function place_of(record) return string.match(record, '^[^\n]*') end

local function stands_at(id, place)
  local record = record_of(id)
  return record and place_of(record) == place
end
