--[[ Dead letters: a job with the option dead_letter that fails for good, but for being
cancelled, becomes the data of a job in the queue of that name on the same server. It keeps its
name and, where it is free there, its id. ]]
local dead = {} -- {queue, id, name, the record's lines of the letter from the third on}

-- Note a failed job, as its record says, for send_dead.
local function note_dead(queue, id, job)
  local source = string.match(prefix, '{(.*)}')
  local letter = string.format(
    '{"queue":"%s","job_id":"%s","name":%s,"data":%s,"failed_reason":%s,"stacktrace":%s,'
      .. '"attempts_made":%d}',
    source, id, job[3], job[5], job[7], job[8] ~= '' and job[8] or '[]', job.made)
  local name = cjson.decode('[' .. job[3] .. ']')[1]
  dead[#dead + 1] = {queue, id, name, job[3] .. '\n\n' .. letter, id .. '.' .. job.begun}
end

-- Add the letters, then reserve ids for what the script does afterwards. A second letter of
-- the same job gets an id with the number of starts behind it, and a number of its own besides
-- when the job was started as often before it began anew.
local function send_dead(afterwards)
  for _, letter in ipairs(dead) do
    local queue, id, name, rest, second_id = unpack(letter)
    enter(prefix_of(queue))
    reserve(4)
    if redis.call('EXISTS', job_key(id)) == 1 then id = second_id end
    if redis.call('EXISTS', job_key(id)) == 1 then id = second_id .. '.' .. mint() end
    enter_line(id, 0, '0', rest)
    emit('added', {id, name})
    emit('waiting', {id, ''})
    arm()
  end
  enter(home)
  reserve(afterwards)
end
